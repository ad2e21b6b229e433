// Volumes that an operator adds to those of authentik.
import type { Keys } from "../quadlet/pod.ts";

/** Directories that the platform mounts, in any version of authentik. */
const OWN = ["/data", "/media", "/certs", "/templates", "/run/secrets/authentik", "/run/postgresql", "/run/valkey"];
const MOUNTS = ["Volume", "Tmpfs", "Mount"];

/**
 * Faults in the mount points that the keys of a [Container] section set. Podman would only report them at the start.
 */
export function* mountFaults(keys: Keys): Generator<{ key: string; message: string }> {
  const taken = new Set<string>(OWN);
  for (const key of MOUNTS)
    for (const given of [keys[key] ?? []].flat().map(String)) {
      const target = targetOf(key, given);
      if (target === undefined) continue;
      if (taken.has(target)) {
        const whose = OWN.includes(target) ? "a mount of the platform" : "another mount";
        yield { key, message: `${given} would hide ${whose}; use another path than ${target}` };
      }
      taken.add(target);
    }
}

/** The directory in the container; undefined if Podman has to validate the value. */
function targetOf(key: string, given: string): string | undefined {
  const [first = "", second] = given.split(":");
  const mount = /(?:^|,)(?:destination|dst|target)=([^,]+)/.exec(given)?.[1];
  const target = key === "Mount" ? mount : key === "Volume" ? (second ?? first) : first;
  return target?.startsWith("/") ? target.replace(/\/+/g, "/").replace(/(.)\/$/, "$1") : undefined;
}
