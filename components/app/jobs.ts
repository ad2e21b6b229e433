import type { Manifest } from "../../protocol/manifest.ts";
import { containerUnit } from "../quadlet/quadlet.ts";
import { rendered } from "../render/render.ts";
import { quadletOf } from "./names.ts";

const UNITS = "/etc/systemd/system";
const ROOT = "root:root";

/**
 * What starts a job. The job's own unit is no unit of the release: an apply neither starts it nor waits for it, and the
 * release is well while the timer is active.
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
        // Its time is when systemd takes the last run to have been. Another schedule writes it anew: what that one would
        // have started meanwhile, and what a job of this name missed while it was not there, is not made up for.
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
