import * as pulumi from "@pulumi/pulumi";
import { z } from "zod";
import { toml } from "../../protocol/document.ts";
import type { PackagesDocument } from "../../protocol/items.ts";
import { withoutPlaceholders } from "../../protocol/placeholder.ts";
import { text } from "../schema/scalars.ts";
import { Component } from "./component.ts";
import type { Host } from "./host.ts";
import { askFor } from "./item.ts";
import { settingsOf } from "./settings.ts";

/** Native packages that belong together. */
export interface PackagesArgs {
  /** The host that gets them. */
  host: Host;
  /** Name of this package set on the host. @default - the name of the resource */
  setName?: string;
  /** The first one provides the units in `held`. */
  names: pulumi.Input<readonly pulumi.Input<string>[]>;
  /**
   * Units that the installation must not start, because they would run with the default configuration. @default none
   */
  held?: pulumi.Input<readonly pulumi.Input<string>[]>;
}

/**
 * Native packages, installed if missing and never upgraded. Deleting the resource keeps them.
 *
 * @example
 * new Packages("caddy", { host, names: ["caddy"], held: ["caddy.service"] });
 */
export class Packages extends Component {
  /** Version by package name, as the package manager reports it. */
  readonly versions: pulumi.Output<Record<string, string>>;

  constructor(name: string, args: PackagesArgs, opts?: pulumi.ComponentResourceOptions) {
    const { host, setName = name, names, held = [] } = args;
    const { values, shape } = settingsOf("Packages", name, packagesArguments, { names, held });
    super("Packages", name, opts, { setName: args.setName });
    const { manager } = host.platform.packages;
    const document = values.apply(({ names, held }) =>
      toml({ manager, names, units: held } satisfies PackagesDocument),
    );
    const answer = askFor(
      {
        host,
        kind: "packages",
        name,
        item: setName,
        document,
        claim: claimOf(shape),
      },
      this,
    );
    this.versions = answer.versions;
    this.registerOutputs({ versions: this.versions });
  }
}

/** The names that are known when the packages are declared. */
function claimOf({ names, held }: z.output<typeof packagesArguments>) {
  const packages = withoutPlaceholders(names);
  return packages.length > 0
    ? { packages, things: withoutPlaceholders(held).map((unit) => `unit ${unit}`) }
    : { things: [] };
}

/** Names that every package manager takes as such, and not as an option or a pattern. */
const packagesArguments = z.object({
  names: z.array(text("the name of a package such as caddy", /^[a-z0-9][a-z0-9+._@:-]*$/i)).min(1),
  held: z.array(text("the name of a unit such as caddy.service", /^[\w:.@\\-]+\.[a-z]+$/)),
});

type Shared = Partial<Record<"podman" | "valkey", Packages>>;
const shared = new WeakMap<Host, Shared>();

/**
 * The packages that apps need, declared once for all apps in a program. Each stack has its own item: another stack may
 * use another version of gatehouse, and two stacks must not declare the same item differently.
 */
export function sharedPackages(host: Host, service: keyof Shared): Packages {
  const declared = shared.get(host) ?? {};
  shared.set(host, declared);
  const { packages: names, unit }: { packages: readonly string[]; unit?: string } = host.platform[service];
  // Unique on the host among all stacks. The word is from when a program named its only host.
  const setName = [pulumi.getProject(), pulumi.getStack(), "host", service].join("-");
  declared[service] ??= new Packages(
    `${host.name}-${service}`,
    { host, setName, names, held: unit === undefined ? [] : [unit] },
    { parent: host, aliases: [{ name: setName }] },
  );
  return declared[service];
}
