import type { Manifest } from "../../protocol/manifest.ts";
import { rendered } from "../render/render.ts";

export const GUARD = "container-guard";
const UNIT = `gatehouse-${GUARD}.service`;
const SCRIPT = `/usr/local/libexec/gatehouse/${GUARD}`;

/**
 * Keeps other machines on the host's network from reaching the containers of authentik and of apps at their own
 * addresses.
 */
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
  probes: [{ name: "no container can be reached at its own address", exec: [SCRIPT, "--check"] }],
});
