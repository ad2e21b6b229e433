// Messages about the outputs of another stack that this program cannot use.
import { platformSchema, SCHEMA_VERSION } from "./contract.ts";

interface Fault {
  path: readonly PropertyKey[];
  /** @default - the value is missing */
  message?: string;
}

/**
 * Explains why the outputs of a stack cannot be used: one message with every path, both versions, and the side to
 * update. `undefined` if they can be used.
 */
export function misfit(stack: string, outputs: Readonly<Record<string, unknown>>): string | undefined {
  const given = outputs.platform;
  if (given === undefined) return absent(stack, Object.keys(outputs));
  const wrote = at(given, ["schemaVersion"]);
  const other = Number.isInteger(wrote) && wrote !== SCHEMA_VERSION;
  const parsed = platformSchema.safeParse(given);
  if (parsed.success) return undefined;
  // Other faults in an object with another version are irrelevant.
  const issues = parsed.error.issues.filter(({ path }) => !other || path[0] === "schemaVersion");
  const faults = issues.map(({ path, message }) => (at(given, path) === undefined ? { path } : { path, message }));
  return `${unfit(stack)}
${faults.map(({ path, message = "is missing" }: Fault) => `  ${["platform", ...path].join(".")}: ${message}`).join("\n")}
It was written with ${wrote === undefined ? "no schema version" : `schema version ${JSON.stringify(wrote)}`}; ${READS}.
${other ? update(wrote as number) : remedy(stack, given, faults)}`;
}

/** The same for a secret output: with secret GIDs, each file that contains a GID would become secret. */
export const secret = (stack: string): string => `${unfit(stack)}
  platform: is secret
Its schema version is hidden with it; ${READS}.
Remove the secret from that output in the program of ${stack} and run \`pulumi up\` there: the contract has none.`;

/** The same for a stack that the engine cannot read. */
export const unreadable = (stack: string, reason: string): string =>
  `the output platform of stack ${stack} cannot be read: ${reason}. ` +
  "The name must be ORGANIZATION/PROJECT/STACK (with the word organization on a self-managed backend), and the state " +
  "must be in the backend of this program: `pulumi stack ls --all` lists its stacks.";

const READS = `gatehouse in this program reads version ${SCHEMA_VERSION}`;
const unfit = (stack: string) => `stack ${stack} has no platform that this program can use:`;

const absent = (stack: string, names: readonly string[]) => `${unfit(stack)}
  platform: is missing; its outputs are: ${names.toSorted().join(", ") || "none"}
It was written with no schema version; ${READS}.
If it is a stack of gatehouse, run \`pulumi up\` there until it succeeds; otherwise use another stack.`;

const update = (wrote: number) =>
  wrote > SCHEMA_VERSION
    ? `Update gatehouse in this program to one that reads version ${wrote}.`
    : `Update gatehouse in the program of that stack to one that writes version ${SCHEMA_VERSION}, and run \`pulumi up\` there.`;

function remedy(stack: string, given: unknown, faults: readonly Fault[]): string {
  if (faults.every(({ message }) => message === undefined))
    return "That stack is older than this program: update gatehouse there to the release used here, and run `pulumi up` there.";
  const group = faults.find(({ path }) => path[0] === "groups" && path[2] === "gid");
  if (group)
    return (
      `Check the group on the host with \`getent group ${at(given, [...group.path.slice(0, 2), "name"])}\`, ` +
      "correct it there, and run `pulumi up` in the program of that stack."
    );
  return `Check it with \`pulumi stack output platform --stack ${stack}\`, correct or update the program of that stack, and run \`pulumi up\` there.`;
}

const at = (value: unknown, path: readonly PropertyKey[]): unknown =>
  path.reduce<unknown>((inner, key) => (inner as Record<PropertyKey, unknown> | null | undefined)?.[key], value);
