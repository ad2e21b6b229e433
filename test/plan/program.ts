// Previews as the engine would emit them, from the real program with mocks: no engine, no host.

import type { Preview, State, Step } from "../../plan/read/steps.ts";
import type { Difference, Facts } from "../../protocol/facts.ts";
import { type Recorded, type Run, runProgram, Secret, type Settings } from "../components/program.ts";

export type Config = Record<string, unknown>;

/** The mocks' answer for every release, which is therefore in the state. */
const GENERATION = 3;
const ANSWERS: Record<string, Record<string, unknown>> = {
  "group-postgres-clients": { gid: 987 },
  "group-valkey-clients": { gid: 986 },
  "account-authentik": { uid: 985, gid: 985 },
};

export interface Change {
  /** @default - nothing is deployed yet */
  from?: Config;
  to: Config;
  /** Every command uses another connection, so that no answer is known. @default false */
  newKey?: boolean;
}

const previews = new Map<string, Promise<Preview>>();

/** The preview of a change of configuration. Tests of the same change share it, so none may modify it. */
export function previewOfChange(change: Change): Promise<Preview> {
  const key = JSON.stringify(change);
  const preview = previews.get(key) ?? predicted(change);
  previews.set(key, preview);
  return preview;
}

async function predicted({ from, to, newKey = false }: Change): Promise<Preview> {
  const before = from ? commandsOf(await ran({ config: from })) : new Map();
  // One run to find the differences, and one as a preview, in which no answer of the host is known.
  const shown = commandsOf(await ran({ config: to, preview: true }));
  const after = commandsOf(await ran({ config: to }));
  const steps = [...new Set([...after.keys(), ...before.keys()])].map((name) =>
    stepOf(name, before.get(name), after.get(name), shown.get(name), newKey),
  );
  const deployed = [...before.keys()].filter((name) => name.startsWith("release-"));
  return {
    project: "gatehouse",
    stack: "test",
    steps,
    generations: Object.fromEntries(deployed.map((name) => [name.slice("release-".length), GENERATION])),
    warnings: [],
    touched: steps.filter(({ op }) => op !== "same").length,
  };
}

const runs = new Map<string, Promise<Run>>();

/** Most tests start from the same stack, so each configuration runs only once. */
function ran(settings: Settings): Promise<Run> {
  const key = JSON.stringify(settings);
  const run = runs.get(key) ?? runProgram(settings);
  runs.set(key, run);
  return run;
}

/** The agent's answer about one difference. */
export const difference = (
  kind: Difference["kind"],
  name: string,
  what: string,
  message: string,
  more: Partial<Pick<Difference, "diff" | "now">> = {},
): Difference => ({ kind, name, what, message, diff: "", now: {}, ...more });

/** The agent's answer about items, each with these differences. */
export const factsOf = (preview: Preview, found: Record<string, readonly Difference[]> = {}): Facts => ({
  protocol: 1,
  machine: "0123456789ab",
  warnings: [],
  items: Object.fromEntries(
    preview.steps
      .filter(({ name, old }) => old && name !== "host-agent")
      .map(({ name }) => [name, { due: "0123456789ab/1", differences: [...(found[name] ?? [])] }]),
  ),
});

/** The preview for a host with drift, item by item. */
export function drifted(preview: Preview, found: Record<string, readonly Difference[]>): Preview {
  const steps = preview.steps.map((step): Step => {
    if (found[step.name]) return due(step, "create");
    // A document with a number that a due item will return is due as well.
    const waits = Object.keys(found).some((item) => step.new?.document?.includes(` of ${item.replace(/^\w+-/, "")}>`));
    return waits ? due(step, "stdin") : step;
  });
  return { ...preview, steps, facts: factsOf(preview, found), touched: steps.filter(({ op }) => op !== "same").length };
}

const due = (step: Step, input: string): Step => ({ ...step, op: "update", differs: [...step.differs, input] });

const commandsOf = ({ resources }: Run): Map<string, Recorded> =>
  new Map(resources.filter(({ type }) => type === "command:remote:Command").map((command) => [command.name, command]));

function stepOf(
  name: string,
  before: Recorded | undefined,
  after: Recorded | undefined,
  shown: Recorded | undefined,
  newKey: boolean,
): Step {
  const text = (command: Recorded | undefined, input: string) => JSON.stringify(command?.inputs[input]);
  const differs = ["create", "stdin"].filter((input) => text(before, input) !== text(after, input));
  if (newKey) differs.push("connection");
  const op = !before ? "create" : !after ? "delete" : differs.length > 0 ? "update" : "same";
  return {
    op,
    name,
    differs: op === "update" ? differs : [],
    ...(before && { old: { ...stateOf(before), ...answerOf(name, before) } }),
    ...(after && { new: stateOf(after.inputs.stdin instanceof Secret ? after : (shown as Recorded)) }),
  };
}

function stateOf({ inputs: { create, stdin } }: Recorded): State {
  if (stdin instanceof Secret) return { create: String(create), secret: true };
  return { create: String(create), document: String(stdin) };
}

function answerOf(name: string, { inputs }: Recorded): { answer?: Record<string, unknown> } {
  if (inputs.stdin instanceof Secret) return {};
  return { answer: ANSWERS[name] ?? (name.startsWith("release-") ? { generation: GENERATION } : {}) };
}
