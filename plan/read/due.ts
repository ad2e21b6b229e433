// Why an item of the state is due, though nobody changed its configuration: what the program warned of, and due numbers.
import type { Preview, Step } from "./steps.ts";

/** A difference between the host and what the last apply left there. */
export interface Drift {
  told: string;
  /** What was changed in a file, as the agent shows it: without secrets. Empty where there is no diff. */
  diff: string;
}

/** How components/host/item.ts begins a warning about what is not as the last apply left it. */
export const CHANGED = "changed on the host: ";

/** What was under way on the host when it was asked, of which nothing can be told. */
export const underWay = ({ warnings }: Preview): string[] =>
  warnings.flatMap(({ message }) => (message.startsWith("not known yet: ") ? [message] : []));

/** How the host differs from what the last apply left there. */
export const driftOf = ({ name }: Step, { warnings }: Preview): Drift[] =>
  warnings.flatMap(({ message, step }) => {
    if (step !== name || !message.startsWith(CHANGED)) return [];
    const [told = "", ...diff] = message.slice(CHANGED.length).split("\n");
    return [{ told, diff: diff.join("\n") }];
  });

/** Whether the host does not know an item that the state has: it was set up anew, and gets it for the first time. */
export function isForgotten(step: Step, preview: Preview): boolean {
  const [was, is] = [dueOf(step.old?.create), dueOf(step.new?.create)];
  return step.op === "update" && is !== was && /\/0(\.\d+)?$/.test(is) && driftOf(step, preview).length === 0;
}

/** The due number at the end of a command. */
export const dueOf = (create = ""): string => / --due (\S+)$/.exec(create)?.[1] ?? "";

/** Whether a release gets a generation of its own by this: it is another one, or the host's differs from it. */
export const moves = (step: Step, preview: Preview): boolean =>
  step.op === "create" ||
  (step.op === "update" && (step.differs.includes("stdin") || driftOf(step, preview).length > 0));
