import { createHash } from "node:crypto";
import * as pulumi from "@pulumi/pulumi";
import { type Manifest, manifestText } from "../../protocol/manifest.ts";
import { withoutPlaceholders } from "../../protocol/placeholder.ts";
import { taken, thingsOf } from "../../protocol/things.ts";
import { Component } from "./component.ts";
import type { Host } from "./host.ts";
import { askFor, ownerOf } from "./item.ts";
import { type Review, reviewFiles, reviewText } from "./review.ts";

/** A release: its manifest, and what happens to its data when it is deleted. */
export interface ReleaseArgs {
  /** The host that it goes to. */
  host: Host;
  /** Name of the release on the host, unique there. @default - the name of the resource */
  releaseName?: string;
  /** Files, units and health checks; docs/manifest.md describes each key. */
  manifest: pulumi.Input<Manifest>;
  /**
   * The manifest with empty values in place of unknown ones, such as a GID: its names are checked before anything is
   * changed.
   * @default - the manifest itself if it is not an Output; otherwise the agent checks the names when it applies the
   * release
   */
  sketch?: Manifest;
  /** The whole manifest is secret: it is hidden in previews, the state and logs. @default false */
  secret?: boolean;
  /** On deletion, also deletes the manifest's `data` after copying it. @default false - the data is kept */
  purge?: pulumi.Input<boolean>;
}

/**
 * The only way to change a service on the host: the agent applies files, units and health checks as one transaction. A
 * change is checked before it goes live, and rolled back if the service is not healthy with it.
 *
 * Deleting the resource stops its units and removes its files; it keeps the data unless `purge` is set. Another
 * `releaseName` declares another release, which is refused while the old one has its files.
 *
 * @example
 * const service = `[Service]
 * ExecStart=/usr/bin/sleep infinity
 * [Install]
 * WantedBy=multi-user.target
 * `;
 * const file = { path: "/etc/systemd/system/idle.service", mode: "0644", owner: "root:root", content: service };
 * const unit = "idle.service";
 * const files = [{ ...file, restarts: [unit] }];
 * new Release("idle", { host, manifest: { files, units: [{ name: unit, enabled: true }] } });
 */
export class Release extends Component {
  /** Counts the changes that went live; resolved once this change is healthy. Never secret, even if the manifest is. */
  readonly generation: pulumi.Output<number>;
  /**
   * The passphrase of each repository that a file `opens`, by its place, as the host has it. Secret if the manifest is.
   */
  readonly opens: pulumi.Output<Record<string, string>>;

  constructor(name: string, args: ReleaseArgs, opts?: pulumi.ComponentResourceOptions) {
    super("Release", name, opts, { releaseName: args.releaseName });
    const { host, releaseName: item = name, manifest, secret = false, purge = false } = args;
    const owner = ownerOf(item, this);
    const sketch = args.sketch ?? (isPlain(manifest) ? manifest : {});
    const whole = pulumi.output(manifest) as pulumi.Output<Manifest>;
    const text = (plain: Manifest, part = plain) =>
      manifestText(item, owner, secret, part, taken([...host.takeOver, ...this.formerStacks], thingsOf(plain)));
    const document = whole.apply((plain) => text(plain));
    const wanted = secret ? undefined : createHash("sha256").update(text(sketch)).digest("hex");
    const review: Review = {
      document: whole.apply((plain) => reviewText(plain, (rest) => text(plain, rest))),
      files: whole.apply(reviewFiles),
    };
    const removal = pulumi.output(purge).apply((purge) => `remove ${item} --owner ${owner}${purge ? " --purge" : ""}`);
    const answer = askFor(
      {
        host,
        kind: "release",
        name,
        item,
        document,
        review,
        removal,
        secret,
        claim: {
          owner,
          things: withoutPlaceholders(thingsOf(sketch)),
          ...(wanted !== undefined && { sketch: wanted }),
        },
      },
      this,
    );
    this.generation = pulumi.unsecret(answer.apply(({ generation }) => generation));
    this.opens = answer.apply(({ opens = {} }) => opens);
    this.registerOutputs({ generation: this.generation });
  }
}

const isPlain = (manifest: pulumi.Input<Manifest>): manifest is Manifest =>
  !pulumi.Output.isInstance(manifest) && !(manifest instanceof Promise);
