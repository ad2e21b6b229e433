import * as pulumi from "@pulumi/pulumi";
import { z } from "zod";
import { toml } from "../../protocol/document.ts";
import type { AccountDocument } from "../../protocol/items.ts";
import { taken } from "../../protocol/things.ts";
import { text, uid as uidSchema } from "../schema/scalars.ts";
import { legible } from "../sdk/legible.ts";
import { Component } from "./component.ts";
import { type GroupHandle, usableGid } from "./group.ts";
import type { Host } from "./host.ts";
import { askFor } from "./item.ts";
import { thisStack } from "./moves.ts";
import { settingsOf } from "./settings.ts";

/** Properties of a system account. */
export interface AccountArgs {
  /** The host that has the account. */
  host: Host;
  /** Name of the account on the host. @default - the name of the resource */
  accountName?: string;
  /** Home directory. Not created here. */
  home: pulumi.Input<string>;
  /** Supplementary groups, exactly these; each must exist. @default none */
  groups?: readonly GroupHandle[];
  /** @default - the next free one */
  uid?: pulumi.Input<number>;
  /**
   * The releases that run as this account. If one of them belongs to another stack, the account is refused.
   * @default none
   */
  releases?: pulumi.Input<readonly pulumi.Input<string>[]>;
}

/**
 * A system account without a login, a member of exactly the given groups. Deleting the resource keeps the account,
 * because a reused UID would inherit its data.
 *
 * @example
 * const account = new Account("wiki", { host, home: "/var/lib/wiki", groups: [postgres.clients] });
 * export const uid = account.uid;
 */
export class Account extends Component {
  /** Its name on the host. */
  readonly accountName: string;
  /** As the host chose it, or as it was given. */
  readonly uid: pulumi.Output<number>;
  /** GID of its own group, which has its name. */
  readonly gid: pulumi.Output<number>;

  constructor(name: string, args: AccountArgs, opts?: pulumi.ComponentResourceOptions) {
    const { host, accountName = name, home, groups = [], uid, releases } = args;
    const { values } = settingsOf("Account", name, accountArguments, { home, uid, releases });
    super("Account", name, opts, { accountName: args.accountName });
    const owner = releases && `${thisStack()}/${accountName}`;
    this.accountName = accountName;
    // The agent guarantees the GIDs of this program's groups; those from another stack are checked before use.
    const names = groups.map((group) =>
      pulumi.Resource.isInstance(group)
        ? group.groupName
        : // An unknown GID must not hide a known name.
          legible(usableGid(group, accountName), `gid for ${accountName}`).apply(() => group.groupName),
    );
    const things = [`account ${accountName}`, `group ${accountName}`];
    const takes = taken([...host.takeOver, ...this.formerStacks], things);
    const document = pulumi
      .all([pulumi.all(names), values])
      .apply(([groups, { home, uid, releases }]) =>
        toml({ name: accountName, home, groups, uid, owner, releases, takes } satisfies AccountDocument),
      );
    // Names from another stack may not be known yet. Omitting one only adds a membership to the message of a refusal.
    const wanted = groups.flatMap(({ groupName }) => (typeof groupName === "string" ? [groupName] : []));
    const answer = askFor(
      {
        host,
        kind: "account",
        name,
        item: accountName,
        document,
        claim: { things: [`account ${accountName}`], groups: wanted },
      },
      this,
      groups.filter((group) => pulumi.Resource.isInstance(group)),
    );
    this.uid = answer.uid;
    this.gid = answer.gid;
    this.registerOutputs({ uid: this.uid, gid: this.gid });
  }
}

/** What useradd accepts. */
const accountArguments = z.object({
  home: text("an absolute path such as /var/lib/wiki", /^(\/[\w.@+=~-]+)+$/),
  uid: uidSchema.optional(),
  releases: z.array(z.string()).optional(),
});
