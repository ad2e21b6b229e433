/** The engine's encoding of a value that is unknown until the update. */
export const UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9";

/** The engine's marker for a secret. */
const SIGNATURE = "4dabf18193072939515e22adb298388d";

/** Whether a value from the engine is a secret, which the engine masks. */
export const isSecret = (value: unknown): boolean => typeof value === "object" && value !== null && SIGNATURE in value;
