/** From the strongest to the weakest. */
export const VERBS = ["restart", "stop", "start", "reload", "none"] as const;
export type Verb = (typeof VERBS)[number];

/** One effect on a unit, and the reason. */
export interface Effect {
  unit: string;
  verb: Verb;
  reason: string;
}
