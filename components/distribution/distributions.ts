import { arch } from "./arch.ts";
import { debian, ubuntu } from "./debian.ts";
import type { Distribution } from "./distribution.ts";

/**
 * Every platform by its name in the configuration, which is the `ID` in its /etc/os-release.
 *
 * @example
 * new Host("host", { connection, platform: platforms.debian });
 */
export const platforms = { debian, ubuntu, arch } satisfies Record<string, Distribution>;

/** The platform of a host if the configuration does not set it. */
export const USUAL = "debian" satisfies keyof typeof platforms;
