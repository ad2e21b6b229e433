import { remote } from "@pulumi/command";
import * as pulumi from "@pulumi/pulumi";
import { remoteConnection } from "./connection.ts";
import { NEVER_ASKED } from "./facts.ts";
import type { Host } from "./host.ts";

/** One thing on the host that the agent keeps as a document says. */
export interface ItemArgs {
  host: Host;
  kind: "group" | "account" | "packages" | "release";
  /** The item's name on the host. */
  item: string;
  document: pulumi.Input<string>;
  /** The agent's arguments on deletion. @default - the item stays when its resource is deleted */
  removal?: string;
  /** Hide what goes in and what comes out. @default false */
  secret?: boolean;
}

/**
 * Asks the agent for one item; the answer is its JSON, parsed.
 *
 * The command ends with the item's due number: how often the host was repaired. While the host is as the last apply
 * left it the agent answers the number that the state holds, so nothing is to do; once it differs, the next.
 */
export function askFor<Answer>(
  args: ItemArgs,
  parent: pulumi.ComponentResource,
  { dependsOn }: pulumi.ComponentResourceOptions = {},
): pulumi.Output<Answer> {
  const { host, kind, item, document, removal, secret = false } = args;
  const drifted = host.facts?.items[`${kind}-${item}`]?.drifted ?? [];
  const command = new remote.Command(
    `${kind}-${item}`,
    {
      connection: remoteConnection(host.connection),
      create: `gatehouse ${kind} ${item} --due ${due(host, `${kind}-${item}`)}`,
      delete: removal && `gatehouse ${removal}`,
      stdin: secret ? pulumi.secret(document) : document,
      addPreviousOutputInEnv: false,
      logging: secret ? remote.Logging.None : remote.Logging.Stderr,
    },
    {
      parent,
      // A component's own dependsOn does not reach its children.
      dependsOn: pulumi.output(dependsOn).apply((more) => [host.agent, ...[more ?? []].flat()]),
      // Pulumi replaces by creating first and deleting second: the delete would take away what was just made.
      deleteBeforeReplace: true,
      retainOnDelete: host.abandoned,
      ignoreChanges: host.facts ? [] : ["create"],
      additionalSecretOutputs: secret ? ["stdout", "stderr"] : [],
    },
  );
  for (const difference of drifted) pulumi.log.warn(`changed on the host: ${difference}`, command);
  return command.stdout.apply((line) => JSON.parse(line) as Answer);
}

function due({ facts }: Host, item: string): string {
  if (!facts) return NEVER_ASKED;
  return facts.items[item]?.due ?? `${facts.machine}/0`;
}
