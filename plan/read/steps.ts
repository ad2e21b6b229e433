// The steps of a Pulumi preview for the commands on the host, without secrets.
import type { EngineEvent, StepEventMetadata, StepEventStateMetadata } from "@pulumi/pulumi/automation/index.js";
import { isSecret, UNKNOWN } from "../../components/sdk/wire.ts";
import type { Facts } from "../../protocol/facts.ts";
import type { Inspection } from "../../protocol/inspection.ts";

/** A command before or after the update. */
export interface State {
  /** The command line; its last word is the due number. */
  create: string;
  /** @default - secret, or not known before the update */
  document?: string;
  /** The document is secret. The engine masks it, and nothing here reads it. @default false */
  secret?: boolean;
  /** The parsed answer of the host. @default - secret, or not answered yet */
  answer?: Record<string, unknown>;
  /** Deleting the resource deletes its data too. @default false */
  purge?: boolean;
  /** Deleting the resource only removes it from the state. @default false */
  retained?: boolean;
}

/** The planned step for one command. */
export interface Step {
  op: "create" | "update" | "delete" | "same";
  /** `KIND-NAME`, such as `release-caddy`, as on the host; `host-agent` for the agent itself. */
  name: string;
  /** The names of the changed inputs, secret ones included. */
  differs: readonly string[];
  old?: State;
  new?: State;
}

/** The input of a plan. */
export interface Preview {
  project: string;
  stack: string;
  steps: readonly Step[];
  /** The generation of each release in the state, by name. */
  generations: Readonly<Record<string, number>>;
  /** The facts of the host. @default - the host was not inspected */
  facts?: Facts;
  /** Why the host cannot be reached. @default - it was inspected, or it was not to be inspected */
  unreachable?: string;
  /** Warnings of the program. */
  warnings: readonly string[];
  /** The number of resources of any kind that change. */
  touched: number;
}

const COMMAND = "command:remote:Command";
const RELEASE = "gatehouse:index:Release";
const HOST = "gatehouse:index:Host";

/** Collects the events of one preview. */
export function previewOf(
  project: string,
  stack: string,
  events: readonly EngineEvent[],
  inspection?: Inspection,
): Preview {
  const steps = new Map<string, Step>();
  /** By URN: the event of a release does not contain its name on the host, which its command does. */
  const generations = new Map<string, number>();
  const parents = new Map<string, string>();
  const warnings: string[] = [];
  let touched = 0;
  for (const { resourcePreEvent, diagnosticEvent } of events) {
    if (resourcePreEvent) {
      const { metadata } = resourcePreEvent;
      if (metadata.op !== "same") touched++;
      // A replacement has events of its own for the deletion and the creation; skip the one for both.
      if (metadata.type === COMMAND && metadata.op !== "replace") {
        const step = stepOf(metadata);
        steps.set(`${metadata.urn} ${metadata.op === "delete-replaced"}`, step);
        parents.set(step.name, (metadata.new ?? metadata.old)?.parent ?? "");
      }
      const generation = metadata.old?.outputs?.generation;
      if (metadata.type === RELEASE && typeof generation === "number") generations.set(metadata.urn, generation);
    }
    if (diagnosticEvent?.severity === "warning") warnings.push(diagnosticEvent.message.trim());
  }
  const known = [...parents].flatMap(([name, parent]) => {
    const generation = generations.get(parent);
    return generation === undefined ? [] : [[name.slice("release-".length), generation] as const];
  });
  return {
    project,
    stack,
    steps: [...steps.values()],
    generations: Object.fromEntries(known),
    ...inspection,
    warnings,
    touched,
  };
}

const OPS: Partial<Record<string, Step["op"]>> = {
  create: "create",
  "create-replacement": "create",
  delete: "delete",
  "delete-replaced": "delete",
  same: "same",
};

const AGENT = "host-agent";

/** `KIND-NAME` as on the host, which the command contains. The resource has another name in the program. */
function nameOf({ urn, old, new: next }: Pick<StepEventMetadata, "urn" | "old" | "new">): string {
  if (urn.includes(`${HOST}$${COMMAND}::`)) return AGENT;
  const commands = [next, old].flatMap((state) => [state?.inputs.create, state?.inputs.delete]);
  for (const command of commands) {
    // The command is unknown in a preview in which its document is, but not the one that removes the release.
    const [, verb, name] = /^gatehouse (\w+) (\S+) /.exec(String(command)) ?? [];
    if (verb) return `${verb === "remove" ? "release" : verb}-${name}`;
  }
  return urn.slice(urn.lastIndexOf("::") + 2);
}

function stepOf({ op, urn, diffs, detailedDiff, old, new: next }: StepEventMetadata): Step {
  // A provider reports changed inputs in one of two ways; `detailedDiff` has paths such as `connection.privateKey`.
  const paths = [...(diffs ?? []), ...Object.keys(detailedDiff ?? {})];
  return {
    op: OPS[op] ?? "update",
    name: nameOf({ urn, old, new: next }),
    differs: [...new Set(paths.map((path) => path.replace(/[.[].*/, "")))],
    ...(old && OPS[op] !== "create" && { old: stateOf(old, old.outputs) }),
    ...(next && OPS[op] !== "delete" && { new: stateOf(next, {}) }),
  };
}

function stateOf({ inputs, retainOnDelete }: StepEventStateMetadata, outputs: Record<string, unknown>): State {
  const { create, stdin } = inputs;
  const answer = parsed(outputs?.stdout);
  return {
    create: typeof create === "string" ? create : "",
    ...(typeof stdin === "string" && stdin !== UNKNOWN && { document: stdin }),
    // A secret that is still unknown is not marked as secret; disabled logging identifies it.
    ...((isSecret(stdin) || inputs.logging === "none") && { secret: true }),
    ...(answer && { answer }),
    ...(typeof inputs.delete === "string" && inputs.delete.endsWith(" --purge") && { purge: true }),
    ...(retainOnDelete && { retained: true }),
  };
}

/** The host's answer; undefined if it is secret, or is not the JSON object that the agent prints. */
function parsed(stdout: unknown): Record<string, unknown> | undefined {
  if (typeof stdout !== "string" || stdout === UNKNOWN) return undefined;
  try {
    const answer: unknown = JSON.parse(stdout);
    return typeof answer === "object" && answer !== null ? (answer as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}
