// Names of Quadlet files and of the units that are generated from them.

/** The directory that Podman's system generator reads. */
export const QUADLETS = "/etc/containers/systemd";

/** `authentik.pod`, the name that containers use to refer to the pod. */
export const podFile = (name: string) => `${name}.pod`;
export const containerFile = (name: string) => `${name}.container`;
export const networkFile = (name: string) => `${name}.network`;

/** Podman adds a suffix to the units of pods and networks, but not to those of containers. */
export const podUnit = (name: string) => `${name}-pod.service`;
export const networkUnit = (name: string) => `${name}-network.service`;
export const containerUnit = (name: string) => `${name}.service`;
