// Limits that systemd applies to a unit.
import type { Handler } from "./context.ts";

const WEIGHTS = [
  "MemoryHigh",
  "MemoryLow",
  "ManagedOOMMemoryPressure",
  "CPUAccounting",
  "MemoryAccounting",
  "AllowedCPUs",
  "MemorySwapMax",
  "OOMPolicy",
  "OOMScoreAdjust",
  "CPUWeight",
  "IOWeight",
  "Nice",
  "StartupCPUWeight",
  "StartupIOWeight",
];

/** Limits that are systemd's in a Quadlet as well. */
export const LIMITS: Record<string, Handler> = {
  MemoryMax: (container, value, place) => container.limitMemory(value, place),
  CPUQuota: (container, value, place) => container.set("cpus", Number.parseInt(value, 10) / 100, place),
  TasksMax: (container, value, place) => container.key("PidsLimit", value, place),
  ...Object.fromEntries(
    WEIGHTS.map((key): [string, Handler] => [
      key,
      (container, _, place) =>
        container.changed(place, `Service.${key}`, "an app has a limit of memory and of processors, and no weight"),
    ]),
  ),
};
