import * as pulumi from "@pulumi/pulumi";
import { sealed, toml } from "../../protocol/document.ts";
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
      sealed(toml({ manager: host.platform.packages.manager, names: [...names], units: [...held] })),
    );
    const answer = askFor<{ versions: Record<string, string> }>(
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
