// The releases of a stack, before and after the update.

import type { Difference } from "../../protocol/facts.ts";
import { type Read, readManifest, unsealed } from "./documents.ts";
import { driftOf, isNotOnHost, isRestored, moves } from "./due.ts";
import { filled } from "./known.ts";
import type { Preview, Step } from "./steps.ts";

export interface ReleaseStep {
  name: string;
  /** `resend`: its command runs again and changes nothing. `forget`: it leaves the state and stays on the host. */
  what: "create" | "update" | "repair" | "resend" | "delete" | "forget" | "same";
  /** Whether deleting it deletes its data: according to the state (`was`), and after this update (`is`). */
  purge: { was: boolean; is: boolean };
  /** Its manifest is never shown, and `old` and `new` are unset. */
  secret: boolean;
  /** The manifest that was last applied. @default - not on the host yet, or secret */
  old?: Read;
  /** @default - deleted, or secret */
  new?: Read;
  /** How the host differs from `old`. */
  drift: readonly Difference[];
}

export function releasesOf(preview: Preview): ReleaseStep[] {
  return preview.steps
    .filter(({ name }) => name.startsWith("release-"))
    .map((step) => releaseOf(step, preview))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
}

function releaseOf(step: Step, preview: Preview): ReleaseStep {
  const document = step.new?.document === undefined ? undefined : filled(step.new.document, preview);
  const old = manifest(isNotOnHost(step, preview) ? undefined : step.old?.document);
  const next = manifest(document);
  const secret = Boolean(step.old?.secret || step.new?.secret || old?.secret || next?.secret);
  const purge = { was: step.old?.purge ?? false, is: step.new?.purge ?? false };
  return {
    name: step.name.slice("release-".length),
    what: whatOf(step, document, preview),
    purge,
    secret,
    ...(old && !secret && { old }),
    ...(next && !secret && { new: next }),
    drift: driftIn(step, preview),
  };
}

/** The differences in the facts. A host restored to an older snapshot reports none, only a new due number. */
export function driftIn(step: Step, preview: Preview): readonly Difference[] {
  const again = step.old?.document !== undefined && step.old.document === step.new?.document;
  return again && isRestored(step, preview) ? [RESTORED] : driftOf(step, preview);
}

const RESTORED: Difference = {
  kind: "generation",
  name: "",
  what: "set-back",
  message: "the host has since received another manifest, or was restored from a snapshot",
  diff: "",
  now: {},
};

const manifest = (document: string | undefined) => (document === undefined ? undefined : readManifest(document));

function whatOf(step: Step, document: string | undefined, preview: Preview): ReleaseStep["what"] {
  if (step.op === "same" || step.op === "create") return step.op;
  if (step.op === "delete") return step.old?.retained ? "forget" : "delete";
  if (isNotOnHost(step, preview)) return "create";
  const before = step.old?.document;
  const rewritten =
    before === undefined || document === undefined
      ? moves(step, preview) && step.differs.includes("stdin")
      : unsealed(before) !== unsealed(document);
  if (rewritten || (!step.new?.secret && step.old?.purge !== step.new?.purge)) return "update";
  if (driftIn(step, preview).length > 0) return "repair";
  return "resend";
}

/** Secret releases that get new content, which may be merged into files of other releases. */
export const rotating = (releases: readonly ReleaseStep[]): Set<string> =>
  new Set(
    releases
      .filter(({ secret, what }) => secret && (what === "create" || what === "update" || what === "repair"))
      .map(({ name }) => name),
  );
