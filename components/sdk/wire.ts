/** How the engine writes a value that is not known before the update. */
export const UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9";

/** How the engine marks a secret. */
const SIGNATURE = "4dabf18193072939515e22adb298388d";

/** Whether a value of the engine's is a secret, which it blinds. */
export const isSecret = (value: unknown): boolean => typeof value === "object" && value !== null && SIGNATURE in value;
