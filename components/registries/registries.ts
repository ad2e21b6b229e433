import type * as pulumi from "@pulumi/pulumi";
import { z } from "zod";
import { secretsFolder } from "../../protocol/secrets.ts";
import { Component } from "../host/component.ts";
import type { Host } from "../host/host.ts";
import { Release } from "../host/release.ts";
import { settingsOf } from "../host/settings.ts";
import { legible } from "../sdk/legible.ts";
import { helperManifest, loginsManifest } from "./manifest.ts";
import { type Logins, registriesSchema } from "./schema.ts";

/** Podman reads the logins of a host from one place, whatever a program calls them. */
const NAME = "registries";
const SECRETS = `${NAME}-secrets`;
const argumentsSchema = z.object({ logins: registriesSchema });

/** Logins by registry. */
export interface RegistriesArgs {
  /** The host whose Podman uses the logins. */
  host: Host;
  /** User and password by registry, as in the names of images. Secret as a whole. */
  logins: pulumi.Input<Record<string, pulumi.Input<{ [Key in keyof Logins[string]]: pulumi.Input<string> }>>>;
}

/**
 * Logins to private registries, for every image that root's Podman pulls on the host, including those of other stacks.
 *
 * @example
 * const password = new pulumi.Config().requireSecret("registryPassword");
 * new Registries("registries", { host, logins: { "ghcr.io": { username: "deploy", password } } });
 */
export class Registries extends Component {
  /** For `dependsOn`: resolved once images can be pulled. */
  readonly ready: pulumi.Resource[];

  constructor(name: string, { host, logins }: RegistriesArgs, opts?: pulumi.ComponentResourceOptions) {
    const { values } = settingsOf("Registries", name, argumentsSchema, { logins });
    super("Registries", name, opts);
    const below = { parent: this };
    const logged = values.apply(({ logins }) => loginsManifest(SECRETS, logins));
    const secrets = new Release(
      `${name}-secrets`,
      { host, releaseName: SECRETS, manifest: logged, secret: true },
      below,
    );
    const render = (generation: number) => helperManifest(secretsFolder(SECRETS, generation));
    const manifest = legible(secrets.generation, `generation of ${SECRETS}`).apply(render);
    this.ready = [new Release(name, { host, releaseName: NAME, manifest, sketch: render(0) }, below)];
    this.registerOutputs();
  }
}
