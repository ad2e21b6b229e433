import type { File } from "../../protocol/manifest.ts";
import { rendered } from "../render/render.ts";
import { KEY_GROUP } from "./members.ts";

/** Has a unit of the cluster restarted for as long as it takes, and lets it read the key of the host. */
export const clusterUnit = (unit: string, service: readonly string[] = []): File => ({
  ...rendered(
    `/etc/systemd/system/${unit}.d/gatehouse-cluster.conf`,
    "root:root",
    "0644",
    "etc/systemd/system/cluster.service.d/gatehouse-cluster.conf",
    { group: KEY_GROUP, service },
  ),
  restarts: [unit],
});
