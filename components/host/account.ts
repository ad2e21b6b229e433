import * as pulumi from "@pulumi/pulumi";
import { sealed, toml } from "../../protocol/document.ts";
import type { AccountDocument } from "../../protocol/items.ts";
import { taken } from "../../protocol/things.ts";
import { legible } from "../sdk/legible.ts";
import { type GroupHandle, usableGid } from "./group.ts";
import type { Host } from "./host.ts";
import { askFor, ownerOf } from "./item.ts";

export interface AccountArgs {
  host: Host;
  /** Where its data lie. Not created here. */
  home: string;
  /** The groups that the account belongs to besides its own, exactly; each must be there. @default none */
  groups?: readonly GroupHandle[];
  /** @default - the next free one */
  uid?: number;
  /** The releases that run as it: while one of them is another stack's, the account is not touched. @default none */
  releases?: readonly string[];
}

/**
 * A system account without a login, a member of exactly the groups given. Deleting the resource leaves the account,
 * since a recycled UID would inherit its data.
 *
 * @example
 * const account = new Account("authentik", { host, home: "/var/lib/authentik", groups: [postgres.clients] });
 */
export class Account extends pulumi.ComponentResource {
  readonly accountName: string;
  readonly uid: pulumi.Output<number>;
  readonly gid: pulumi.Output<number>;

  constructor(name: string, args: AccountArgs, opts?: pulumi.ComponentResourceOptions) {
    super("gatehouse:index:Account", name, {}, opts);
    const { host, home, groups = [], uid, releases } = args;
    const owner = releases && ownerOf(name);
    this.accountName = name;
    // The agent answers for the GIDs of this program's groups; what another stack tells is looked at before it is used.
    const names = groups.map((group) =>
      pulumi.Resource.isInstance(group)
        ? group.groupName
        : // A GID that is on its way must not hide a name that is known.
          legible(usableGid(group, name), `gid for ${name}`).apply(() => group.groupName),
    );
    const things = [`account ${name}`, `group ${name}`];
    const takes = taken(host.takeOver, things);
    const document = pulumi.all(names).apply((groups) =>
      sealed(
        toml({
          name,
          home,
          groups,
          uid,
          owner,
          releases: releases && [...releases],
          takes,
        } satisfies AccountDocument),
      ),
    );
    // What another stack tells is on its way; a membership more in the message of a refusal is no fault.
    const wanted = groups.flatMap(({ groupName }) => (typeof groupName === "string" ? [groupName] : []));
    const answer = askFor(
      { host, kind: "account", item: name, document, claim: { things: [`account ${name}`], groups: wanted } },
      this,
      pulumi.mergeOptions(
        { dependsOn: groups.filter((group) => pulumi.Resource.isInstance(group)) },
        { dependsOn: opts?.dependsOn },
      ),
    );
    this.uid = answer.uid;
    this.gid = answer.gid;
    this.registerOutputs({ uid: this.uid, gid: this.gid });
  }
}
