import type { Manifest } from "../../protocol/manifest.ts";
import { rendered } from "../render/render.ts";

export const GUARD = "container-guard";
const UNIT = `gatehouse-${GUARD}.service`;
const SCRIPT = `/usr/local/libexec/gatehouse/${GUARD}`;

/** What keeps the network beside the host from reaching containers at their own addresses, authentik's and those of apps. */
export const guardManifest = (): Manifest => ({
  files: [
    {
      ...rendered(SCRIPT, "root:root", "0755", "usr/local/libexec/gatehouse/container-guard", {}),
      restarts: [UNIT],
    },
    {
      ...rendered(
        `/etc/systemd/system/${UNIT}`,
        "root:root",
        "0644",
        "etc/systemd/system/gatehouse-container-guard.service",
        { script: SCRIPT },
      ),
      restarts: [UNIT],
    },
  ],
  units: [{ name: UNIT, enabled: true }],
  probes: [{ name: "no container is reached at its own address", exec: [SCRIPT, "--check"] }],
});
