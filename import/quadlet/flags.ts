// Options of `podman run` in PodmanArgs.
import type { DraftContainer } from "../draft.ts";
import type { Place } from "../findings.ts";

/** Options of `podman run`. */
export const FLAGS: Record<string, (container: DraftContainer, value: string, place: Place) => void> = {
  memory: (container, value, place) => container.limitMemory(value, place),
  cpus: (container, value, place) => container.set("cpus", Number(value), place),
  "shm-size": (container, value, place) => container.shm(value, place),
  "add-host": (container, value, place) => container.key("AddHost", value, place),
  "cap-add": (container, value, place) => container.key("AddCapability", value, place),
  device: (container, value, place) => container.key("AddDevice", value, place),
  "network-alias": (container, value, place) => {
    container.names.add(value);
    container.moot(place, "--network-alias", "containers of an app reach each other by their names");
  },
  "pids-limit": (container, value, place) => container.key("PidsLimit", value, place),
  "stop-timeout": (container, value, place) => container.key("StopTimeout", Number(value), place),
  sysctl: (container, value, place) => container.key("Sysctl", value, place),
  label: (container, value, place) => container.key("Label", value, place),
  "log-driver": (container, value, place) => container.key("LogDriver", value, place),
  "log-opt": (container, value, place) => container.key("LogOpt", value, place),
  "cap-drop": (container, _, place) =>
    container.moot(place, "--cap-drop", "containers have no capability that was not added"),
  ulimit: (container, value, place) => container.key("Ulimit", value, place),
  tmpfs: (container, value, place) => container.key("Tmpfs", value, place),
  entrypoint: (container, value, place) => container.key("Entrypoint", value, place),
  hostname: (container, value, place) => container.key("HostName", value, place),
};
