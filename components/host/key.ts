import type * as pulumi from "@pulumi/pulumi";
import { z } from "zod";
import { toml } from "../../protocol/document.ts";
import type { KeyDocument } from "../../protocol/items.ts";
import { text } from "../schema/scalars.ts";
import { Component } from "./component.ts";
import type { Group } from "./group.ts";
import type { Host } from "./host.ts";
import { askFor } from "./item.ts";
import { settingsOf } from "./settings.ts";

/** Properties of a key. */
export interface KeyArgs {
  /** The host that creates the key and keeps it. */
  host: Host;
  /** Name of the key on the host. @default - the name of the resource */
  keyName?: string;
  /** Common name in the certificate. */
  subject: pulumi.Input<string>;
  /** IP addresses in the certificate, for clients that check the address of a server. */
  addresses: pulumi.Input<readonly pulumi.Input<string>[]>;
  /** May read the key: for units with this group in `SupplementaryGroups=`. @default - only root */
  group?: Group;
}

/**
 * A private key that never leaves its host, and its certificate, which is no authority: others trust the certificate
 * itself. Deleting the resource keeps the key.
 *
 * @example
 * const key = new Key("mail", { host, subject: "mail", addresses: ["10.0.0.11"] });
 * export const certificate = key.certificate;
 */
export class Key extends Component {
  /** In PEM format. Resolved once the key exists. */
  readonly certificate: pulumi.Output<string>;

  constructor(name: string, args: KeyArgs, opts?: pulumi.ComponentResourceOptions) {
    const { host, keyName = name, subject, addresses, group } = args;
    const { values } = settingsOf("Key", name, keyArguments, { subject, addresses });
    super("Key", name, opts, { keyName: args.keyName });
    const document = values.apply(({ subject, addresses }) =>
      toml({ name: keyName, subject, addresses, group: group?.groupName } satisfies KeyDocument),
    );
    const answer = askFor(
      { host, kind: "key", name, item: keyName, document, claim: { things: [] } },
      this,
      group && [group],
    );
    this.certificate = answer.certificate;
    this.registerOutputs({ certificate: this.certificate });
  }
}

const keyArguments = z.object({
  subject: text("a name of letters, digits, dots and dashes", /^[\w.-]+$/),
  addresses: z.array(z.union([z.ipv4(), z.ipv6()])).min(1),
});

/** The files of a key on its host. */
export const keyFiles = (keyName: string) => ({
  certificate: `/etc/gatehouse/keys/${keyName}.crt`,
  key: `/etc/gatehouse/keys/${keyName}.key`,
});
