import type { Manifest } from "../../protocol/manifest.ts";
import { containerUnit } from "../quadlet/quadlet.ts";
import { rendered } from "../render/render.ts";
import { quadletOf } from "./names.ts";

const UNITS = "/etc/systemd/system";
const ROOT = "root:root";

/**
 * The timer of a job. The job's own unit is not a unit of the release: an apply neither starts it nor waits for it, and
 * the release is healthy while the timer is active.
 */
export function timerManifest(app: string, job: string, schedule: string) {
  const name = quadletOf(app, job);
  const timer = `${name}.timer`;
  const restarts = [timer];
  return {
    files: [
      {
        ...rendered(`${UNITS}/${timer}`, ROOT, "0644", "etc/systemd/system/app-job.timer", {
          service: containerUnit(name),
          schedule,
        }),
        restarts,
      },
      {
        // systemd takes the modification time as the time of the last run. A new schedule rewrites the file, so that
        // systemd does not catch up on runs that the new schedule would have had before the change, or that an earlier
        // job of this name missed.
        path: `/var/lib/systemd/timers/stamp-${timer}`,
        mode: "0644",
        owner: ROOT,
        content: `${schedule}\n`,
        restarts,
      },
    ],
    checks: [{ name: `schedule of ${job}`, tree: UNITS, exec: ["systemd-analyze", "calendar", "--", schedule] }],
    units: [{ name: timer, enabled: true }],
  } satisfies Manifest;
}
