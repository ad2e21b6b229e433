// What a preview of Pulumi's told about the commands on the host, without anything that is secret.
import type { EngineEvent, StepEventMetadata, StepEventStateMetadata } from "@pulumi/pulumi/automation/index.js";
import { isSecret, UNKNOWN } from "../../components/sdk/wire.ts";
import type { Facts } from "../../protocol/facts.ts";

/** A command as it was, or as it will be. */
export interface State {
  /** The command line; its last word is the due number. */
  create: string;
  /** @default - secret, or not known before the update */
  document?: string;
  /** The document is secret. The engine blinds it; nothing here looks at it. @default false */
  secret?: boolean;
  /** What the host answered, parsed. @default - secret, or not answered yet */
  answer?: Record<string, unknown>;
  /** Deleting the resource deletes its data too. @default false */
  purge?: boolean;
  /** Deleting the resource forgets it and does nothing on the host. @default false */
  retained?: boolean;
}

/** What the preview does with one command. */
export interface Step {
  op: "create" | "update" | "delete" | "same";
  /** `KIND-NAME`, such as `release-caddy`; `host-agent` for the agent itself. */
  name: string;
  /** The inputs that differ; of a secret one this is all that can be told. */
  differs: readonly string[];
  old?: State;
  new?: State;
}

/** Everything that a plan is made from. */
export interface Preview {
  project: string;
  stack: string;
  steps: readonly Step[];
  /** The generation that each release had, by its name, as the state knows it. */
  generations: Readonly<Record<string, number>>;
  /** What the host answered when the program looked at it. @default - it did not look */
  facts?: Facts;
  /** What the program warned of. */
  warnings: readonly string[];
  /** How many resources of any kind something happens to. */
  touched: number;
}

const COMMAND = "command:remote:Command";
const RELEASE = "gatehouse:index:Release";

/** Reads the events of one preview. */
export function previewOf(project: string, stack: string, events: readonly EngineEvent[], facts?: Facts): Preview {
  const steps = new Map<string, Step>();
  const generations: Record<string, number> = {};
  const warnings: string[] = [];
  let touched = 0;
  for (const { resourcePreEvent, diagnosticEvent } of events) {
    if (resourcePreEvent) {
      const { metadata } = resourcePreEvent;
      if (metadata.op !== "same") touched++;
      // A replaced command is deleted first and made again then; `replace` itself stands for both.
      if (metadata.type === COMMAND && metadata.op !== "replace")
        steps.set(`${metadata.urn} ${metadata.op === "delete-replaced"}`, stepOf(metadata));
      const generation = metadata.old?.outputs?.generation;
      if (metadata.type === RELEASE && typeof generation === "number") generations[nameOf(metadata.urn)] = generation;
    }
    if (diagnosticEvent?.severity === "warning") warnings.push(diagnosticEvent.message.trim());
  }
  return { project, stack, steps: [...steps.values()], generations, ...(facts && { facts }), warnings, touched };
}

const OPS: Partial<Record<string, Step["op"]>> = {
  create: "create",
  "create-replacement": "create",
  delete: "delete",
  "delete-replaced": "delete",
  same: "same",
};

const nameOf = (urn: string): string => urn.slice(urn.lastIndexOf("::") + 2);

function stepOf({ op, urn, diffs, detailedDiff, old, new: next }: StepEventMetadata): Step {
  // A provider tells what differs in one way or the other; the second has paths such as `connection.privateKey`.
  const paths = [...(diffs ?? []), ...Object.keys(detailedDiff ?? {})];
  return {
    op: OPS[op] ?? "update",
    name: nameOf(urn),
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
    // A secret that is not known yet stands as unknown alone; that its log is off tells what it is.
    ...((isSecret(stdin) || inputs.logging === "none") && { secret: true }),
    ...(answer && { answer }),
    ...(typeof inputs.delete === "string" && inputs.delete.endsWith(" --purge") && { purge: true }),
    ...(retainOnDelete && { retained: true }),
  };
}

/** The answer of the host's; none of a secret command's, nor what an agent of another age may have said. */
function parsed(stdout: unknown): Record<string, unknown> | undefined {
  if (typeof stdout !== "string" || stdout === UNKNOWN) return undefined;
  try {
    const answer: unknown = JSON.parse(stdout);
    return typeof answer === "object" && answer !== null ? (answer as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}
