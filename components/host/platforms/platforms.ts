import { debian } from "./debian.ts";
import type { Platform } from "./platform.ts";

/** Every platform by the name that it has in the configuration. */
export const platforms = { debian } satisfies Record<string, Platform>;
