// Numbers of the host's that a preview does not know: taken from what the host answered last time.
import { driftOf, isForgotten, moves } from "./due.ts";
import type { Preview, Step } from "./steps.ts";

const PLACEHOLDER = /<(gid|uid|generation) of ([\w-]+)>/g;

/**
 * Fills in the placeholders that components/sdk/legible.ts left in a document, so that a command which is only sent
 * again, as after a new SSH key, shows no change. What the host was never asked for stays a placeholder.
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

/** A number that the host will answer: what it has now, where that differs from what it answered last. */
function answerOf(step: Step, key: string, preview: Preview): unknown {
  const drift = driftOf(step, preview);
  if (drift.length === 0) return step.old?.answer?.[key];
  return drift.flatMap(({ now }) => now[key] ?? [])[0];
}

/** The generation that a release of secrets will have; none when the host has none of it yet. */
function generationOf(release: string, preview: Preview): number | undefined {
  const before = preview.generations[release];
  const step = preview.steps.find(({ name }) => name === `release-${release}`);
  if (before === undefined || step === undefined || isForgotten(step, preview)) return undefined;
  return moves(step, preview) ? before + 1 : before;
}
