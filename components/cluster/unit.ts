import type { File } from "../../protocol/manifest.ts";
import { rendered } from "../render/render.ts";
import { KEY_GROUP } from "./members.ts";

/** The line of a unit that may read the key of the host. No account has this group. */
export const READS_KEY = `SupplementaryGroups=${KEY_GROUP}`;

/** Has a unit of the cluster restarted for as long as it takes, with these further lines of [Service]. */
export const clusterUnit = (unit: string, service: readonly string[]): File => ({
  ...rendered(
    `/etc/systemd/system/${unit}.d/gatehouse-cluster.conf`,
    "root:root",
    "0644",
    "etc/systemd/system/cluster.service.d/gatehouse-cluster.conf",
    { service },
  ),
  restarts: [unit],
});
