// Names in Quadlet, in one place: what a file is called decides what its unit is called.

/** Where Podman's system generator looks. */
export const QUADLETS = "/etc/containers/systemd";

/** `authentik.pod`, by which containers refer to it. */
export const podFile = (name: string) => `${name}.pod`;
export const containerFile = (name: string) => `${name}.container`;
export const networkFile = (name: string) => `${name}.network`;

/** Podman calls the units of pods and networks after these, with a suffix; a container's after the file alone. */
export const podUnit = (name: string) => `${name}-pod.service`;
export const networkUnit = (name: string) => `${name}-network.service`;
export const containerUnit = (name: string) => `${name}.service`;
