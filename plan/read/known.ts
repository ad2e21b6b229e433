// Fills in UIDs, GIDs and generations that a preview does not know, from the last answers of the host.
import { driftOf, isNotOnHost, moves } from "./due.ts";
import type { Preview, Step } from "./steps.ts";

const PLACEHOLDER = /<(gid|uid|generation) of ([\w-]+)>/g;

/**
 * Fills in the placeholders that components/sdk/legible.ts left in a document, so that a command which is only resent,
 * such as with a new SSH key, shows no change. A number that the host has never answered stays a placeholder.
 */
export function filled(document: string, preview: Preview): string {
  const answer = (name: string, key: string) => {
    const step = preview.steps.find((step) => step.name === name);
    return step && answerOf(step, key, preview);
  };
  return document.replace(PLACEHOLDER, (placeholder, what: string, name: string) => {
    if (what === "generation") return String(generationOf(name, preview) ?? placeholder);
    const number = answer(`group-${name}`, what) ?? answer(`account-${name}`, what);
    return typeof number === "number" ? String(number) : placeholder;
  });
}

/** The number that the host will answer: the current one if the item has drifted, otherwise the last answer. */
function answerOf(step: Step, key: string, preview: Preview): unknown {
  const drift = driftOf(step, preview);
  if (drift.length === 0) return step.old?.answer?.[key];
  return drift.flatMap(({ now }) => now[key] ?? [])[0];
}

/** The generation that a secret release will have; undefined if it is not on the host yet. */
function generationOf(release: string, preview: Preview): number | undefined {
  const before = preview.generations[release];
  const step = preview.steps.find(({ name }) => name === `release-${release}`);
  if (before === undefined || step === undefined || isNotOnHost(step, preview)) return undefined;
  return moves(step, preview) ? before + 1 : before;
}
