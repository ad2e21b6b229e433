import { createHash } from "node:crypto";
import { remote } from "@pulumi/command";
import * as pulumi from "@pulumi/pulumi";
import type { Answer, answers } from "../../protocol/answers.ts";
import { sealed } from "../../protocol/document.ts";
import { formatDue, NEVER_ASKED, parseDue } from "../../protocol/due.ts";
import type { Declaration } from "../../protocol/things.ts";
import { isRecorded } from "../connection/recorded-facts.ts";
import { plain } from "../render/plain.ts";
import { type Component, merged } from "./component.ts";
import type { Host } from "./host.ts";
import { thisStack } from "./moves.ts";
import { Document, type Review } from "./review.ts";

/** An object on the host that the agent manages according to a document. */
export interface ItemArgs<Kind> {
  host: Host;
  kind: Kind;
  /** The name of the component in the program. */
  name: string;
  /** The item's name on the host, which is unique there: another host of the program can have the same item. */
  item: string;
  /** What the item should be, without the closing line. */
  document: pulumi.Input<string>;
  /** What a preview shows of the document. @default - all of it */
  review?: Review;
  /** The agent's arguments on deletion. @default - the item remains when its resource is deleted */
  removal?: pulumi.Input<string>;
  /** The names that it needs on the host. */
  claim: Omit<Declaration, "item">;
  /** Hides the input and the output. @default false */
  secret?: boolean;
}

/**
 * Applies one item through the agent, and returns its answer as parsed JSON.
 *
 * The command ends with the item's due number, which counts how often the item was due. While the host is in sync, the
 * agent reports the number in the state, so there is nothing to do; after drift it reports the next one.
 */
export function askFor<Kind extends keyof typeof answers>(
  args: ItemArgs<Kind>,
  parent: Component,
  dependsOn?: pulumi.ResourceOptions["dependsOn"],
): pulumi.Output<Answer<Kind>> {
  const { host, kind, name, item, document, review = { document }, removal, secret = false, claim } = args;
  if (!NAMES[kind].pattern.test(item))
    throw new pulumi.RunError(`${kind} ${JSON.stringify(item)}: expected ${NAMES[kind].text}; choose another name`);
  host.admission.permit(parent.formerStacks);
  const free = host.admission.claim({ ...claim, item: `${kind}-${item}` });
  const known = host.facts?.items[`${kind}-${item}`];
  const { differences = [], busy } = known ?? {};
  const isDue = host.facts !== undefined && (!known || differences.length > 0);
  const stdin = pulumi.output(document).apply(sealed);
  const command = new remote.Command(
    `${name}-${kind}`,
    {
      connection: host.remote,
      create: pulumi.output(
        free.then(() =>
          due(
            host,
            { item: `${kind}-${item}`, document: stdin, sketch: claim.sketch },
            (number) => `gatehouse ${kind} ${item} --due ${number}`,
          ),
        ),
      ),
      delete: removal && pulumi.interpolate`gatehouse ${removal}`,
      stdin: secret ? pulumi.secret(stdin) : stdin,
      addPreviousOutputInEnv: false,
      logging: secret ? remote.Logging.None : remote.Logging.Stderr,
    },
    {
      parent,
      // Its name in stacks from before a program could have several hosts.
      aliases: [{ name: `${kind}-${item}` }],
      // Not in an Output, because the resources and everything they reference would be searched for unknown values.
      dependsOn: merged(host.agent, merged(parent.waitsFor, dependsOn)),
      // By default Pulumi creates the replacement first and then deletes, which would remove the new object.
      deleteBeforeReplace: true,
      // Not false, which would replace that of a component around it.
      retainOnDelete: host.abandoned || undefined,
      ignoreChanges: host.away ? ["*"] : host.facts ? [] : ["create"],
      // Another name on the host is another item: the one with the former name is removed first.
      replacementTrigger: kind === "release" ? item : undefined,
      additionalSecretOutputs: secret ? ["stdout", "stderr"] : [],
      hideDiffs: [...(secret ? [] : ["stdin"]), ...(isDue ? [] : ["create"])],
      hooks: host.hooks,
    },
  );
  if (!isRecorded()) {
    for (const { message, diff } of differences)
      pulumi.log.warn(plain(`drift: ${[message, diff].filter(Boolean).join("\n")}`), command);
    if (busy) pulumi.log.warn(plain(`not known yet: ${busy} is in progress on the host`), command);
  }
  if (!secret) new Document(`${name}-${kind}`, review, command, { parent });
  return command.stdout.apply((line) => JSON.parse(line) as Answer<Kind>);
}

/** Names that the agent accepts. They are part of a command, which a shell reads. */
const UNIX_NAME = {
  pattern: /^[a-z][a-z0-9_-]{0,30}$/,
  text: "a name of lower-case letters, digits, - and _, which begins with a letter, at most 31 long",
};
const NAMES: Record<keyof typeof answers, { pattern: RegExp; text: string }> = {
  group: UNIX_NAME,
  account: UNIX_NAME,
  packages: { pattern: /^\w[\w.-]*$/, text: "a name of letters, digits, _, . and -" },
  key: UNIX_NAME,
  release: {
    pattern: /^[a-z][a-z0-9-]{0,62}$/,
    text: "a name of lower-case letters, digits and -, which begins with a letter, at most 63 long",
  },
};

interface Sent {
  item: string;
  document: pulumi.Output<string>;
  sketch: string | undefined;
}

/**
 * The command with the current due number of the host, or with a new one if the document is not the one that the host
 * received last: the state may record this document, but the host may have been restored from an older snapshot of its
 * disk. Likewise if only the sketch differs, so that the host does not report the release as another version.
 */
function due(
  { facts }: Host,
  { item, document, sketch }: Sent,
  command: (number: string) => string,
): pulumi.Input<string> {
  if (!facts) return command(NEVER_ASKED);
  const known = facts.items[item];
  // With the time: the state may contain the number without it, if the host was restored to a time before it had the
  // item.
  if (!known) return command(formatDue({ machine: facts.machine, repairs: 0, resent: moment() }));
  if (known.busy || known.differences.length > 0 || known.document === undefined) return command(known.due);
  // With the time instead of the next number: after a restored snapshot, the state already contains the next number.
  const { machine, repairs } = parseDue(known.due) ?? { machine: facts.machine, repairs: 0 };
  const fresh = formatDue({ machine, repairs, resent: moment() });
  if (sketch && known.sketch && sketch !== known.sketch) return command(fresh);
  const digest = (text: string) => createHash("sha256").update(text).digest("hex");
  // Whether a secret document changed is not a secret.
  return pulumi.unsecret(document.apply((text) => command(digest(text) === known.document ? known.due : fresh)));
}

/**
 * The owner of an item of this stack, as the host records it. Its last part is another one for each resource that may have
 * the item: a resource with another name or parent, without an alias, applies the item before Pulumi deletes the former
 * resource, which then is not its owner and removes nothing.
 */
export function ownerOf(item: string, { place: { name, kind, within } }: Component): string {
  const usual = [name, `app-${name}`].some((own) => item === own || item.startsWith(`${own}-`));
  // As before there were such parts: the program of the configuration, and items with the name of their component.
  const isPlain = within === "" && (usual || (kind === "Gatehouse" && name === "gatehouse"));
  const place = createHash("sha256").update(`${within}$${kind}::${name}`).digest("hex").slice(0, 8);
  return `${thisStack()}/${isPlain ? item : `${item}@${place}`}`;
}

const moment = (): number => Math.floor(Date.now() / 1000);
