// Changes of groups, accounts, packages and the agent.
import { readTable } from "../read/documents.ts";
import { driftOf, isNotOnHost } from "../read/due.ts";
import type { Preview, Step } from "../read/steps.ts";

/** A change of an item other than a release. */
export interface ItemChange {
  kind: "agent" | "group" | "account" | "packages" | "key";
  name: string;
  what: "create" | "update" | "repair" | "leave";
  notes: string[];
}

export const itemChanges = (preview: Preview): ItemChange[] =>
  preview.steps
    .flatMap((step) => itemChange(step, preview))
    .sort((a, b) => (`${a.kind} ${a.name}` < `${b.kind} ${b.name}` ? -1 : 1));

function itemChange(step: Step, preview: Preview): ItemChange[] {
  const [, kind, name] = /^(group|account|packages|key)-(.+)$/.exec(step.name) ?? [];
  if (step.name === "host-agent") return agent(step);
  if (name === undefined || step.op === "same") return [];
  const item = { kind: kind as "group" | "account" | "packages" | "key", name };
  if (step.op === "delete") return [{ ...item, what: "leave", notes: ["it stays on the host"] }];
  const forgotten = isNotOnHost(step, preview);
  const drift = driftOf(step, preview);
  const [was, is] = [forgotten ? undefined : step.old?.document, step.new?.document];
  const notes = [
    ...drift.map(({ message }) => message),
    ...differences(was === undefined ? {} : readTable(was), is === undefined ? {} : readTable(is)),
  ];
  if (notes.length === 0 && step.op === "update" && !forgotten) return [];
  const what = step.op === "create" || forgotten ? "create" : drift.length > 0 ? "repair" : "update";
  return [{ ...item, what, notes }];
}

function agent({ op, differs, old, new: next }: Step): ItemChange[] {
  const item = { kind: "agent" as const, name: "gatehouse" };
  if (op === "create") return [{ ...item, what: "create", notes: ["the agent is installed on the host"] }];
  if (op === "update" && (differs.includes("stdin") || old?.create !== next?.create))
    return [
      {
        ...item,
        what: "update",
        notes: ["the agent on the host is replaced by the version of this program; no service is affected"],
      },
    ];
  return [];
}

function differences(was: Record<string, unknown>, is: Record<string, unknown>): string[] {
  const keys = [...new Set([...Object.keys(is), ...Object.keys(was)])].filter((key) => key !== "name");
  return keys.flatMap((key) => {
    const [before, after] = [shown(was[key]), shown(is[key])];
    if (before === after) return [];
    return [before === "none" ? `${key}: ${after}` : `${key}: ${before} becomes ${after}`];
  });
}

const shown = (value: unknown): string =>
  (Array.isArray(value) ? value.join(", ") : value === undefined ? "" : String(value)) || "none";
