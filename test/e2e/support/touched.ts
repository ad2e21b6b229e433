import type { Lab } from "./lab.ts";

/** Every unit that the platform runs. */
export const UNITS = [
  "postgresql@17-main.service",
  "valkey-server.service",
  "valkey-socket-fix.service",
  "authentik-pod.service",
  "authentik-server.service",
  "authentik-worker.service",
  "caddy.service",
] as const;

/** What happens to the units while something is done: `restarted`, `reloaded`, or nothing, which is left out. */
export async function touched<T>(
  lab: Lab,
  doing: () => Promise<T>,
): Promise<{ result: T; units: Record<string, string> }> {
  const before = await look(lab);
  const result = await doing();
  const after = await look(lab);
  const units: Record<string, string> = {};
  for (const unit of UNITS) {
    if (before.invocation[unit] !== after.invocation[unit]) units[unit] = "restarted";
    else if (before.changed[unit] !== after.changed[unit]) units[unit] = "reloaded";
  }
  return { result, units };
}

async function look(lab: Lab) {
  return {
    invocation: await lab.units("InvocationID", UNITS),
    changed: await lab.units("StateChangeTimestampMonotonic", UNITS),
  };
}
