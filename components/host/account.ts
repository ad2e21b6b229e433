import * as pulumi from "@pulumi/pulumi";
import { sealed, toml } from "./document.ts";
import type { Group } from "./group.ts";
import type { Host } from "./host.ts";
import { askFor } from "./item.ts";

export interface AccountArgs {
  host: Host;
  /** Where its data lie. Not created here. */
  home: string;
  /** The groups that the account belongs to besides its own, exactly. @default none */
  groups?: readonly Group[];
  /** @default - the next free one */
  uid?: number;
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
    const { host, home, groups = [], uid } = args;
    this.accountName = name;
    const document = sealed(toml({ name, home, groups: groups.map((group) => group.groupName), uid }));
    const answer = askFor<{ uid: number; gid: number }>({ host, kind: "account", item: name, document }, this, {
      dependsOn: [...groups],
    });
    this.uid = answer.uid;
    this.gid = answer.gid;
    this.registerOutputs({ uid: this.uid, gid: this.gid });
  }
}
