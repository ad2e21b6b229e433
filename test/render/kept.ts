// All manifests with golden files.
import { arch } from "../../components/distribution/arch.ts";
import { debian } from "../../components/distribution/debian.ts";
import { helperManifest } from "../../components/registries/manifest.ts";
import type { Manifest } from "../../protocol/manifest.ts";
import { APPS, partsOfApp } from "./apps.ts";
import { CASES, manifestsOf, partsOf, stackOn } from "./cases.ts";
import { partsOfMember } from "./cluster.ts";

/** The manifests of each case, on both platforms if they differ, by the name of their folder. */
export const KEPT: Record<string, () => Manifest[]> = Object.fromEntries([
  ["cluster", () => Object.values(partsOfMember())],
  ["registries", () => [helperManifest("/var/lib/gatehouse/secrets/registries-secrets/3")]],
  ...[debian, arch].flatMap((platform) => {
    const on = platform === debian ? "" : `${platform.id}-`;
    return [
      ...Object.entries(CASES).map(([name, stack]) => [
        on + name,
        () => manifestsOf(partsOf(stackOn(platform, stack))),
      ]),
      ...Object.keys(APPS).map((app) => [`${on}app-${app}`, () => Object.values(partsOfApp(app, platform))]),
    ];
  }),
]);
