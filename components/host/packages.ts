import * as pulumi from "@pulumi/pulumi";
import { sealed, toml } from "../../protocol/document.ts";
import type { PackagesDocument } from "../../protocol/items.ts";
import type { Host } from "./host.ts";
import { askFor } from "./item.ts";

export interface PackagesArgs {
  host: Host;
  /** The first of them brings what is held. */
  names: readonly string[];
  /** Units that the installation must not start: they would run with the package's stock configuration. @default none */
  held?: readonly string[];
}

/**
 * Native packages, installed when missing and left at the version the host has. Deleting the resource leaves them.
 *
 * @example
 * new Packages("caddy", { host, names: ["caddy"], held: ["caddy.service"] });
 */
export class Packages extends pulumi.ComponentResource {
  /** Version by package name, as the package manager tells it. */
  readonly versions: pulumi.Output<Record<string, string>>;

  constructor(name: string, { host, names, held = [] }: PackagesArgs, opts?: pulumi.ComponentResourceOptions) {
    super("gatehouse:index:Packages", name, {}, opts);
    const document = pulumi.output(
      sealed(
        toml({
          manager: host.platform.packages.manager,
          names: [...names],
          units: [...held],
        } satisfies PackagesDocument),
      ),
    );
    const answer = askFor(
      {
        host,
        kind: "packages",
        item: name,
        document,
        claim: { packages: names, things: held.map((unit) => `unit ${unit}`) },
      },
      this,
      opts,
    );
    this.versions = answer.versions;
    this.registerOutputs({ versions: this.versions });
  }
}

type Shared = Partial<Record<"podman" | "valkey", Packages>>;
const shared = new WeakMap<Host, Shared>();

/**
 * The packages that apps run on, declared when the first of a program asks and once for all of them. The item is the
 * stack's own: another one may use another gatehouse, and two must not ask for one item in two ways.
 */
export function sharedPackages(host: Host, service: keyof Shared): Packages {
  const declared = shared.get(host) ?? {};
  shared.set(host, declared);
  const { packages: names, unit }: { packages: readonly string[]; unit?: string } = host.platform[service];
  declared[service] ??= new Packages(
    [pulumi.getProject(), pulumi.getStack(), host.name, service].join("-"),
    { host, names, held: unit === undefined ? [] : [unit] },
    { parent: host },
  );
  return declared[service];
}
