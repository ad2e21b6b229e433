import { createHash } from "node:crypto";
import { remote } from "@pulumi/command";
import * as pulumi from "@pulumi/pulumi";
import type { Answer, answers } from "../../protocol/answers.ts";
import { formatDue, NEVER_ASKED, parseDue } from "../../protocol/due.ts";
import type { Claim } from "../../protocol/things.ts";
import { isRecorded } from "../connection/look.ts";
import { plain } from "../render/plain.ts";
import type { Host } from "./host.ts";

/** One thing on the host that the agent keeps as a document says. */
export interface ItemArgs<Kind> {
  host: Host;
  kind: Kind;
  /** The item's name on the host. */
  item: string;
  document: pulumi.Output<string>;
  /** The agent's arguments on deletion. @default - the item stays when its resource is deleted */
  removal?: string;
  /** What it needs for itself on the host. */
  claim: Omit<Claim, "item">;
  /** Hide what goes in and what comes out. @default false */
  secret?: boolean;
}

/**
 * Asks the agent for one item; the answer is its JSON, parsed.
 *
 * The command ends with the item's due number, which counts how often something was due. While the host is as the last
 * apply left it the agent answers the number that the state holds, so nothing is to do; once it differs, the next.
 */
export function askFor<Kind extends keyof typeof answers>(
  args: ItemArgs<Kind>,
  parent: pulumi.ComponentResource,
  { dependsOn }: pulumi.ComponentResourceOptions = {},
): pulumi.Output<Answer<Kind>> {
  const { host, kind, item, document, removal, secret = false, claim } = args;
  const free = host.admission.claim({ ...claim, item: `${kind}-${item}` });
  const { differences = [], busy } = host.facts?.items[`${kind}-${item}`] ?? {};
  const command = new remote.Command(
    `${kind}-${item}`,
    {
      connection: host.remote,
      create: pulumi.output(
        free.then(() =>
          due(host, `${kind}-${item}`, document, (number) => `gatehouse ${kind} ${item} --due ${number}`),
        ),
      ),
      delete: removal && `gatehouse ${removal}`,
      stdin: secret ? pulumi.secret(document) : document,
      addPreviousOutputInEnv: false,
      logging: secret ? remote.Logging.None : remote.Logging.Stderr,
    },
    {
      parent,
      // A component's own dependsOn does not reach its children. Resources in an Output would be searched for unknown
      // values, with all that hangs on them.
      ...pulumi.mergeOptions({ dependsOn: host.agent }, { dependsOn }),
      // Pulumi replaces by creating first and deleting second: the delete would take away what was just made.
      deleteBeforeReplace: true,
      retainOnDelete: host.abandoned,
      ignoreChanges: host.facts ? [] : ["create"],
      additionalSecretOutputs: secret ? ["stdout", "stderr"] : [],
    },
  );
  if (!isRecorded()) {
    for (const { message, diff } of differences)
      pulumi.log.warn(plain(`changed on the host: ${[message, diff].filter(Boolean).join("\n")}`), command);
    if (busy) pulumi.log.warn(plain(`not known yet: ${busy} is under way on the host`), command);
  }
  return command.stdout.apply((line) => JSON.parse(line) as Answer<Kind>);
}

/**
 * The command with the number that the host is at, or with a new one where the document is not the one that it was given
 * last: the state may think so, but the host may have been set back to an older snapshot of its disk.
 */
function due(
  { facts }: Host,
  item: string,
  document: pulumi.Output<string>,
  command: (number: string) => string,
): pulumi.Input<string> {
  if (!facts) return command(NEVER_ASKED);
  const known = facts.items[item];
  // With the moment: the state may hold the number alone, of a host that was set back to before it knew the item.
  if (!known) return command(formatDue({ machine: facts.machine, repairs: 0, resent: moment() }));
  if (known.busy || known.differences.length > 0 || known.document === undefined) return command(known.due);
  // With the moment, and not the next number: after a set-back the state holds the next one already.
  const { machine, repairs } = parseDue(known.due) ?? { machine: facts.machine, repairs: 0 };
  const fresh = formatDue({ machine, repairs, resent: moment() });
  const digest = (text: string) => createHash("sha256").update(text).digest("hex");
  // That a secret document is another one is no secret.
  return pulumi.unsecret(document.apply((text) => command(digest(text) === known.document ? known.due : fresh)));
}

/** A resource of this stack's, as the host knows whom something belongs to. */
export const ownerOf = (resource: string): string => `${pulumi.getProject()}/${pulumi.getStack()}/${resource}`;

const moment = (): number => Math.floor(Date.now() / 1000);
