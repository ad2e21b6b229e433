import * as pulumi from "@pulumi/pulumi";
import type { Facts } from "../../protocol/facts.ts";
import { type Claim, digestOf, type Stranger } from "../../protocol/things.ts";
import { close, strangers } from "../connection/line.ts";
import { plain } from "../render/plain.ts";

export interface AdmissionArgs {
  /** @default - the host was not asked; the agent itself refuses, item by item */
  facts: Facts | undefined;
  /** What may be taken over. */
  takeOver: readonly string[];
}

/**
 * Asks the host whose the names are that a program would use, before the first command changes anything: what is declared
 * in one go is asked in one question, and refused as a whole. What the host has of this stack already is not asked again.
 */
export class Admission {
  readonly #args: AdmissionArgs;
  readonly #warn: (message: string) => void;
  #packages: Claim[] = [];
  #batch: { claims: Claim[]; free: Promise<void> } | undefined;

  /** @param warn receives each thing that is taken over, in a sentence. */
  constructor(args: AdmissionArgs, warn: (message: string) => void) {
    this.#args = args;
    this.#warn = warn;
  }

  /**
   * Resolved once everything that is declared together with these claims is free, or is this stack's own.
   *
   * @throws pulumi.RunError naming all that is, and how it is taken over.
   */
  claim(...claims: Claim[]): Promise<void> {
    const { facts } = this.#args;
    if (!facts) return Promise.resolve();
    this.#batch ??= this.#open(facts);
    this.#batch.claims.push(...claims);
    return this.#batch.free;
  }

  #open(facts: Facts) {
    const claims: Claim[] = [];
    const free = new Promise((resolve) => setImmediate(resolve)).then(async () => {
      this.#batch = undefined;
      this.#packages.push(...claims.filter(({ packages }) => packages));
      const news = claims.filter((claim) => !claim.packages && !isSettled(facts, claim));
      if (news.length > 0) this.#judge(await strangers(facts, [...this.#packages, ...news]));
      else close(facts);
    });
    return { claims, free };
  }

  #judge(found: Stranger[]): void {
    const { takeOver } = this.#args;
    const strange = found.filter(({ thing }) => !takeOver.includes(thing));
    if (strange.length > 0) throw refused(plain(refusal(strange)));
    for (const { thing, what } of found) this.#warn(plain(`taken over: ${thing}: ${what}`));
  }
}

/** A group or an account that is as it was left, and a release that needs what it had; both of this stack. */
function isSettled({ items }: Facts, claim: Claim): boolean {
  const known = items[claim.item];
  if (!known) return false;
  return claim.owner === undefined ? known.differences.length === 0 : known.claims === digestOf(claim);
}

/** Of each resource that waits for it the SDK would put the place in front of the message, one behind the other. */
const refused = (message: string): pulumi.RunError =>
  Object.defineProperty(new pulumi.RunError(message), "message", { get: () => message, set: () => {} });

const refusal = (found: readonly Stranger[]) =>
  `this host has what gatehouse did not make, by names that this stack uses; nothing was done:
${found.map(({ thing, what }) => `  ${thing}: ${what}`).join("\n")}
Rename or remove it, or choose another name or port in the configuration. What gatehouse is to take over is named in it, as a whole or in part:
  gatehouse:host:
    takeOver:
${found.map(({ thing }) => `      - ${thing}`).join("\n")}
(a program of apps gives takeOver to its Host). More: docs/authentik-deployment-guide.md#pulumi-says-this-host-has-what-gatehouse-did-not-make`;
