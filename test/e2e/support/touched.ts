import { expect } from "vitest";
import type { Report } from "../../../plan/report/report.ts";
import type { Lab } from "./lab.ts";
import { POSTGRES, VALKEY } from "./platform.ts";
import type { Stack } from "./stack.ts";

/** Every unit that the platform runs. */
export const UNITS = [
  POSTGRES,
  VALKEY,
  "valkey-socket-fix.service",
  "authentik-pod.service",
  "authentik-server.service",
  "authentik-worker.service",
  "caddy.service",
] as const;

const WILL: Record<string, string> = { restart: "restarted", start: "restarted", reload: "reloaded" };

/** A plan's effects on units, in the terms of `touched`. */
export const announced = ({ units }: Report): Record<string, string | undefined> =>
  Object.fromEntries(units.filter(({ verb }) => verb !== "none").map(({ unit, verb }) => [unit, WILL[verb]]));

/** The units named in the plan of a change, each with a reason. */
export async function planned(stack: Stack): Promise<Record<string, string | undefined>> {
  const { status, text, report } = await stack.plan();
  expect(status, text).toBe(2);
  for (const { unit, verb, reasons } of report.units) if (verb !== "none") expect(reasons, unit).not.toEqual([]);
  return announced(report);
}

/** The effects on units while `doing` runs: `restarted` or `reloaded`; unaffected units are omitted. */
export async function touched<T>(
  lab: Lab,
  doing: () => Promise<T>,
  watched: readonly string[] = UNITS,
): Promise<{ result: T; units: Record<string, string> }> {
  const before = await look(lab, watched);
  const result = await doing();
  const after = await look(lab, watched);
  const units: Record<string, string> = {};
  for (const unit of watched) {
    if (before.invocation[unit] !== after.invocation[unit]) units[unit] = "restarted";
    else if (before.changed[unit] !== after.changed[unit]) units[unit] = "reloaded";
  }
  return { result, units };
}

/**
 * Waits until no unit is changing state: a container is active only once it has reported that it is healthy, which it
 * does after it responds.
 */
async function look(lab: Lab, watched: readonly string[]) {
  const states = `systemctl show --property=ActiveState ${watched.join(" ")}`;
  await lab.sh(`for i in $(seq 150); do ${states} | grep -q 'ing$' || exit 0; sleep 0.2; done`);
  return {
    invocation: await lab.units("InvocationID", watched),
    changed: await lab.units("StateChangeTimestampMonotonic", watched),
  };
}
