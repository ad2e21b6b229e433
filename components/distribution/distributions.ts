import { arch } from "./arch.ts";
import { debian, ubuntu } from "./debian.ts";
import type { Distribution } from "./distribution.ts";

/** Every platform by the name that it has in the configuration, which is the `ID` of its /etc/os-release. */
export const platforms = { debian, ubuntu, arch } satisfies Record<string, Distribution>;

/** What a host runs of which the configuration does not tell. */
export const USUAL = "debian" satisfies keyof typeof platforms;
