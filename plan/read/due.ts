// Why an item is due although its configuration is unchanged: drift, and due numbers.
import { type Due, parseDue } from "../../protocol/due.ts";
import type { Difference } from "../../protocol/facts.ts";
import type { Preview, Step } from "./steps.ts";

/** Operations in progress when the host was inspected, by item; the drift of these items is unknown. */
export const inProgress = ({ steps, facts }: Preview): { item: string; busy: string }[] =>
  steps.flatMap(({ name }) => {
    const busy = facts?.items[name]?.busy;
    return busy === undefined ? [] : [{ item: name.replace("-", " "), busy }];
  });

/** The drift of an item. */
export const driftOf = ({ name }: Step, { facts }: Preview): readonly Difference[] =>
  facts?.items[name]?.differences ?? [];

/** Whether an item is in the state but unknown to the host, which was reinstalled: it will be created again. */
export const isNotOnHost = (step: Step, { facts }: Preview): boolean =>
  step.op === "update" &&
  facts !== undefined &&
  isItem(step) &&
  facts.items[step.name] === undefined &&
  isDueAgain(step);

/** Whether the command is due without drift: the host last received another document than the one in the state. */
export const isRestored = (step: Step, preview: Preview): boolean =>
  step.op === "update" &&
  preview.facts?.items[step.name] !== undefined &&
  driftOf(step, preview).length === 0 &&
  dueOf(step.new)?.resent !== undefined &&
  isDueAgain(step);

/** Whether it is a group, account, package set or release; unlike the agent, these have a due number. */
const isItem = ({ new: next }: Step): boolean => dueOf(next) !== undefined;

const isDueAgain = ({ old, new: next }: Step): boolean => numberOf(old?.create) !== numberOf(next?.create);

const numberOf = (create = ""): string => / --due (\S+)$/.exec(create)?.[1] ?? "";

/** The due number at the end of a command. */
const dueOf = (state: { create: string } | undefined): Due | undefined => parseDue(numberOf(state?.create));

/** Whether this step gives a release a new generation: its document changes, or the host has drifted. */
export const moves = (step: Step, preview: Preview): boolean =>
  step.op === "create" ||
  (step.op === "update" && (step.differs.includes("stdin") || driftOf(step, preview).length > 0));
