import * as pulumi from "@pulumi/pulumi";
import { z } from "zod";
import { toml } from "../../protocol/document.ts";
import type { GroupDocument } from "../../protocol/items.ts";
import { taken } from "../../protocol/things.ts";
import { gid as gidSchema } from "../schema/scalars.ts";
import { Component } from "./component.ts";
import type { Host } from "./host.ts";
import { askFor } from "./item.ts";
import { settingsOf } from "./settings.ts";

/** Properties of a group. */
export interface GroupArgs {
  /** The host that has the group. */
  host: Host;
  /** Name of the group on the host. @default - the name of the resource */
  groupName?: string;
  /** @default - the next free one; an existing group keeps its own */
  gid?: pulumi.Input<number>;
}

/** A group on the host: one of this program (a `Group`), or one of another stack, with Outputs. */
export interface GroupHandle {
  /** Its name on the host. */
  readonly groupName: pulumi.Input<string>;
  /** Its number on the host. */
  readonly gid: pulumi.Input<number>;
}

/**
 * A system group, which is created if it is missing. An existing group with another GID is refused, never renumbered.
 * Deleting the resource keeps the group, because a reused GID would inherit its files.
 *
 * @example
 * const editors = new Group("editors", { host });
 * export const gid = editors.gid; // an Output, as the host returned it
 */
export class Group extends Component {
  /** Its name on the host. */
  readonly groupName: string;
  /** Resolved once the group exists. */
  readonly gid: pulumi.Output<number>;

  constructor(name: string, args: GroupArgs, opts?: pulumi.ComponentResourceOptions) {
    const { host, groupName = name, gid } = args;
    const { values } = settingsOf("Group", name, groupArguments, { gid });
    super("Group", name, opts, { groupName: args.groupName });
    this.groupName = groupName;
    const things = [`group ${groupName}`];
    const takes = taken(host.takeOver, things);
    const document = values.apply(({ gid }) => toml({ name: groupName, gid, takes } satisfies GroupDocument));
    const answer = askFor({ host, kind: "group", name, item: groupName, document, claim: { things } }, this);
    this.gid = answer.gid;
    this.registerOutputs({ gid: this.gid });
  }
}

const groupArguments = z.object({ gid: gidSchema.optional() });

/**
 * A group's GID for a component that uses it. A GID that no client group can have stops the deployment: 0 would grant
 * access to root's group, and the last ones mean "nobody" or "no change" to the kernel.
 *
 * @throws pulumi.RunError with the group and the given value.
 * @example
 * const gid = usableGid(postgres.clients, "wiki");
 * export const option = pulumi.interpolate`--group-add=${gid}`;
 */
export const usableGid = (group: GroupHandle, consumer: string): pulumi.Output<number> =>
  pulumi.all([group.groupName, group.gid]).apply(([name, gid]) => {
    if (Number.isInteger(gid) && gid >= 1 && gid < 65534) return gid;
    const got = typeof gid === "number" ? String(gid) : (JSON.stringify(gid) ?? "nothing");
    throw new pulumi.RunError(
      `${consumer} needs the GID of group ${name}, a whole number from 1 to 65533, got ${got}. ` +
        `Check it on the host with \`getent group ${name}\`; docs/architecture.md#how-a-gid-gets-into-a-quadlet explains where it comes from.`,
    );
  });
