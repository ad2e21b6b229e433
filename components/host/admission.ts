import { isDeepStrictEqual } from "node:util";
import * as pulumi from "@pulumi/pulumi";
import type { Facts } from "../../protocol/facts.ts";
import { type Claim, type Declaration, digestOf, type UnmanagedObject } from "../../protocol/things.ts";
import { close, unmanagedObjects } from "../connection/session.ts";
import { plain } from "../render/plain.ts";
import { thisStack } from "./moves.ts";
import { refusal } from "./settings.ts";

export interface AdmissionArgs {
  /** @default - the host was not inspected; the agent itself refuses, item by item */
  facts: Facts | undefined;
  /** Objects that may be taken over. */
  takeOver: readonly string[];
}

/**
 * Checks on the host, before the first command changes anything, that the names in a program are not used by other
 * objects. Resources that are declared together are checked in one query and refused together. Names that this stack
 * already uses on the host are not checked again.
 */
export class Admission {
  readonly #args: AdmissionArgs;
  readonly #warn: (message: string) => void;
  readonly #items = new Set<string>();
  /** Of which releases may be taken over: those of the host, and of components that were in another stack. */
  readonly #takes: Set<string>;
  #packages: Claim[] = [];
  /** The releases that were declared so far, each with the checksum of its sketch. */
  readonly #releases = new Map<string, string>();
  #batch: { claims: Claim[]; free: Promise<void> } | undefined;

  /** @param warn receives one message for each object that is taken over. */
  constructor(args: AdmissionArgs, warn: (message: string) => void) {
    this.#args = args;
    this.#takes = new Set(args.takeOver);
    this.#warn = warn;
  }

  /** Permits that an item is taken over from another stack that it was in, according to its aliases. */
  permit(stacks: readonly string[]): void {
    for (const stack of stacks) this.#takes.add(stack);
  }

  /**
   * A message about releases that the program no longer declares, if it also declares new ones, which may be the same
   * under other names. To be called once it has declared all of them.
   */
  renames(): string | undefined {
    const { items = {}, wants = {} } = this.#args.facts ?? {};
    const before = Object.keys(wants[thisStack()] ?? {});
    const gone = before.filter((name) => !this.#releases.has(name));
    const added = [...this.#releases.keys()].sort().filter((name) => !before.includes(name) && !items[RELEASE + name]);
    if (gone.length === 0 || added.length === 0) return undefined;
    const data = gone.flatMap((name) => items[RELEASE + name]?.data ?? []);
    return plain(renamed(gone, added, [...new Set(data)]));
  }

  /**
   * Resolves once all names that are declared together with these claims are free or used by this stack.
   *
   * @throws pulumi.RunError at once for an item that the program has declared already; later, with all names that are
   * in use, and how to take them over.
   */
  claim(...declarations: Declaration[]): Promise<void> {
    const { facts } = this.#args;
    for (const { item } of declarations) {
      if (this.#items.has(item)) throw new pulumi.RunError(twice(item));
      this.#items.add(item);
    }
    if (!facts) return Promise.resolve();
    this.#batch ??= this.#open(facts);
    for (const { sketch = "", ...claim } of declarations) {
      this.#batch.claims.push(claim);
      if (claim.item.startsWith(RELEASE)) this.#releases.set(claim.item.slice(RELEASE.length), sketch);
    }
    return this.#batch.free;
  }

  #open(facts: Facts) {
    const claims: Claim[] = [];
    const free = new Promise((resolve) => setImmediate(resolve)).then(async () => {
      this.#batch = undefined;
      this.#packages.push(...claims.filter(({ packages }) => packages));
      const news = claims.filter((claim) => !claim.packages && !isSettled(facts, claim));
      const wants = this.#wants(facts);
      if (news.length > 0 || wants) {
        const asked = news.length > 0 ? [...this.#packages, ...news] : [];
        this.#check(await unmanagedObjects(facts, { claims: asked, takes: [...this.#takes], wants }));
      } else close(facts);
    });
    return { claims, free };
  }

  /** What the host is to record, in an update of which it does not know the releases, or their versions. */
  #wants({ wants = {} }: Facts) {
    const stack = thisStack();
    const releases = Object.fromEntries([...this.#releases].sort());
    const isKnown = isDeepStrictEqual(wants[stack] ?? {}, releases);
    return pulumi.runtime.isDryRun() || isKnown ? undefined : { stack, releases };
  }

  #check(found: UnmanagedObject[]): void {
    const refusable = found.filter(({ thing }) => !this.#takes.has(thing));
    if (refusable.length > 0) throw refusal(plain(inUse(refusable)));
    for (const { thing, what } of found) this.#warn(plain(`taken over: ${thing}: ${what}`));
  }
}

const RELEASE = "release-";

const renamed = (gone: readonly string[], added: readonly string[], data: readonly string[]) =>
  `no longer declared on this host: ${gone.join(", ")}; new: ${added.join(", ")}. The update removes the former. ${
    data.length > 0 ? `Their data stays (${data.join(", ")}), and the new ones begin without it. ` : ""
  }If one of them only got another name, keep its name on the host and add an alias, such as new App("docs", { appName: "wiki", ... }, { aliases: [{ name: "wiki" }] }). A purge is refused in this update. More: docs/platform.md#renames-and-moves`;

/**
 * Whether a claim needs no check: a group or an account that is in sync, or a release of this stack with the same
 * names.
 */
function isSettled({ items }: Facts, claim: Claim): boolean {
  const known = items[claim.item];
  if (!known) return false;
  return claim.owner === undefined ? known.differences.length === 0 : known.claims === digestOf(claim);
}

const twice = (item: string) =>
  `${item.replace("-", " ")} is declared twice on the same host, which can have one of each name; choose another name for one of them, or use one resource in both places`;

const inUse = (found: readonly UnmanagedObject[]) =>
  `this host has objects that gatehouse did not create, with names that this stack uses; nothing was changed:
${found.map(({ thing, what }) => `  ${thing}: ${what}`).join("\n")}
Rename or remove them, or choose another name or port in the configuration. To have gatehouse take over all or some of them, list them there:
  gatehouse:host:
    takeOver:
${found.map(({ thing }) => `      - ${thing}`).join("\n")}
(a program with apps passes takeOver to its Host). More: docs/authentik-deployment-guide.md#pulumi-says-this-host-has-objects-that-gatehouse-did-not-create`;
