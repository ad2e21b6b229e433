import * as pulumi from "@pulumi/pulumi";
import { secretsFolder } from "../../protocol/secrets.ts";
import type { Host } from "../host/host.ts";
import { Release } from "../host/release.ts";
import { legible } from "../sdk/legible.ts";
import { helperManifest, loginsManifest } from "./manifest.ts";
import type { Logins } from "./schema.ts";

export interface RegistriesArgs {
  host: Host;
  /** User and password by registry. */
  logins: pulumi.Input<Logins>;
}

/**
 * Logins to private registries, for every image that root's Podman pulls on the host, including those of other stacks.
 *
 * @example
 * new Registries("registries", { host, logins: { "ghcr.io": { username: "deploy", password } } });
 */
export class Registries extends pulumi.ComponentResource {
  /** For `dependsOn`: resolved once images can be pulled. */
  readonly ready: pulumi.Resource[];

  constructor(name: string, { host, logins }: RegistriesArgs, opts?: pulumi.ComponentResourceOptions) {
    super("gatehouse:index:Registries", name, {}, opts);
    const below = { parent: this };
    const release = `${name}-secrets`;
    const secrets = new Release(
      release,
      { host, manifest: pulumi.output(logins).apply((plain) => loginsManifest(release, plain)), secret: true },
      below,
    );
    const render = (generation: number) => helperManifest(secretsFolder(release, generation));
    const manifest = legible(secrets.generation, `generation of ${release}`).apply(render);
    this.ready = [new Release(name, { host, manifest, sketch: render(0) }, below)];
    this.registerOutputs();
  }
}
