/** From the strongest to the weakest. */
export const VERBS = ["restart", "stop", "start", "reload", "none"] as const;
export type Verb = (typeof VERBS)[number];

/** One thing that happens to a unit, and why. */
export interface Effect {
  unit: string;
  verb: Verb;
  reason: string;
}
