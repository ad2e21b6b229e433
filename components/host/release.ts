import * as pulumi from "@pulumi/pulumi";
import { type Manifest, manifestDocument } from "../../protocol/manifest.ts";
import { taken, thingsOf } from "../../protocol/things.ts";
import type { Host } from "./host.ts";
import { askFor, ownerOf } from "./item.ts";

export interface ReleaseArgs {
  host: Host;
  manifest: pulumi.Input<Manifest>;
  /**
   * The same with blanks for what is not known yet, as a GID: the names in it are asked about before anything is done.
   * @default - the manifest itself where it is no Output; else the agent asks when its turn comes
   */
  sketch?: Manifest;
  /** The whole manifest is secret: it shows in no preview, no state and no log. @default false */
  secret?: boolean;
  /** On deletion the manifest's `data` goes too, once it is copied. @default false - data stays for ever */
  purge?: boolean;
}

/**
 * The only way to change a service on the host: files, units and what healthy means, applied by the agent as one
 * transaction. A change is checked before it goes live, and comes back out when the service is not healthy with it.
 *
 * Deleting the resource stops its units and removes its files, and no data without `purge`. Renaming it takes the
 * release along.
 *
 * @example
 * new Release("caddy", { host, manifest: { files: [...], units: [{ name: "caddy.service", enabled: true }] } });
 */
export class Release extends pulumi.ComponentResource {
  /** Counts the changes that went live; resolved once this one is healthy. Never secret, even where the manifest is. */
  readonly generation: pulumi.Output<number>;
  /** By its place, the passphrase of each repository that a file `opens`, as the host has it. Secret where the manifest is. */
  readonly opens: pulumi.Output<Record<string, string>>;

  constructor(name: string, args: ReleaseArgs, opts?: pulumi.ComponentResourceOptions) {
    super("gatehouse:index:Release", name, {}, opts);
    const { host, manifest, secret = false, purge = false } = args;
    const owner = ownerOf(name);
    const sketch = args.sketch ?? (isPlain(manifest) ? manifest : {});
    const document = pulumi
      .output(manifest)
      .apply((plain) =>
        manifestDocument(name, owner, secret, plain as Manifest, taken(host.takeOver, thingsOf(plain as Manifest))),
      );
    const removal = `remove ${name} --owner ${owner}${purge ? " --purge" : ""}`;
    const answer = askFor(
      { host, kind: "release", item: name, document, removal, secret, claim: { owner, things: thingsOf(sketch) } },
      this,
      opts,
    );
    this.generation = pulumi.unsecret(answer.apply(({ generation }) => generation));
    this.opens = answer.apply(({ opens = {} }) => opens);
    this.registerOutputs({ generation: this.generation });
  }
}

const isPlain = (manifest: pulumi.Input<Manifest>): manifest is Manifest =>
  !pulumi.Output.isInstance(manifest) && !(manifest instanceof Promise);
