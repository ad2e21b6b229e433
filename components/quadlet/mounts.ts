// Mounts that keys of a [Container] section add to those that a container has already.
import type { Keys } from "./pod.ts";

const MOUNTS = ["Volume", "Tmpfs", "Mount"];

/**
 * Faults in the mount points that the keys of a [Container] section set. Podman would only report them at the start.
 *
 * @param own the other mount points of the container.
 */
export function* mountFaults(keys: Keys, own: readonly string[]): Generator<{ key: string; message: string }> {
  const taken = new Set<string>(own);
  for (const key of MOUNTS)
    for (const given of [keys[key] ?? []].flat().map(String)) {
      const target = targetOf(key, given);
      if (target === undefined) continue;
      if (taken.has(target)) {
        const whose = own.includes(target) ? "a mount that the container already has" : "another mount";
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
