// Why an item of the state is due, though nobody changed its configuration: how the host differs, and due numbers.
import { type Due, parseDue } from "../../protocol/due.ts";
import type { Difference } from "../../protocol/facts.ts";
import type { Preview, Step } from "./steps.ts";

/** What was under way on the host while the program looked at it, by item; the drift of these is unknown. */
export const underWay = ({ steps, facts }: Preview): { item: string; busy: string }[] =>
  steps.flatMap(({ name }) => {
    const busy = facts?.items[name]?.busy;
    return busy === undefined ? [] : [{ item: name.replace("-", " "), busy }];
  });

/** How the host differs from what the last apply left there. */
export const driftOf = ({ name }: Step, { facts }: Preview): readonly Difference[] =>
  facts?.items[name]?.differences ?? [];

/** Whether the host does not know an item that the state has: it was set up anew, and gets it for the first time. */
export const isForgotten = (step: Step, { facts }: Preview): boolean =>
  step.op === "update" &&
  facts !== undefined &&
  isItem(step) &&
  facts.items[step.name] === undefined &&
  isDueAgain(step);

/** Whether the command is due though the host drifted in nothing: it was given another document than the state holds. */
export const isSetBack = (step: Step, preview: Preview): boolean =>
  step.op === "update" &&
  preview.facts?.items[step.name] !== undefined &&
  driftOf(step, preview).length === 0 &&
  dueOf(step.new)?.resent !== undefined &&
  isDueAgain(step);

/** Groups, accounts, packages and releases carry a due number; the agent itself does not. */
const isItem = ({ new: next }: Step): boolean => dueOf(next) !== undefined;

const isDueAgain = ({ old, new: next }: Step): boolean => numberOf(old?.create) !== numberOf(next?.create);

const numberOf = (create = ""): string => / --due (\S+)$/.exec(create)?.[1] ?? "";

/** The due number at the end of a command. */
const dueOf = (state: { create: string } | undefined): Due | undefined => parseDue(numberOf(state?.create));

/** Whether a release gets a generation of its own by this: it is another one, or the host's differs from it. */
export const moves = (step: Step, preview: Preview): boolean =>
  step.op === "create" ||
  (step.op === "update" && (step.differs.includes("stdin") || driftOf(step, preview).length > 0));
