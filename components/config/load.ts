import * as pulumi from "@pulumi/pulumi";
import { z } from "zod";
import { variable } from "../authentik/schema.ts";
import { type Settings, settingsSchema } from "./schema.ts";

/** The settings of the stack, and the secret that goes with them. */
export interface Configuration extends Settings {
  /** The SSH private key, secret. @default - the keys of the SSH agent */
  sshKey: pulumi.Output<string> | undefined;
  /** Settings of authentik whose values are secret. @default none */
  authentikSecrets: Record<string, pulumi.Output<string>>;
}

/** How to set what must be secret. */
const SET_SECRET: Record<string, string> = {
  sshKey: "pulumi config set --secret gatehouse:sshKey < KEYFILE",
  authentikSecrets: "pulumi config set --secret --path gatehouse:authentikSecrets.AUTHENTIK_EMAIL__PASSWORD",
};
const SECRET_KEYS = Object.keys(SET_SECRET);

/**
 * Reads the stack's configuration, once, into a closed shape.
 *
 * @throws pulumi.RunError with every fault and its path, all together.
 */
export function load(): Configuration {
  const config = new pulumi.Config();
  const prefix = `${pulumi.getProject()}:`;
  const given: Record<string, unknown> = {};
  const faults: Fault[] = [];
  for (const key of Object.keys(pulumi.runtime.allConfig()).filter((key) => key.startsWith(prefix))) {
    const name = key.slice(prefix.length);
    if (SECRET_KEYS.includes(name)) {
      if (!isSecret(key)) faults.push({ path: [name], message: `is not kept secret: ${SET_SECRET[name]}` });
      continue;
    }
    given[name] = decoded(config.require(name));
    if (isSecret(key)) faults.push({ path: [name], message: NOT_SECRET });
  }
  const parsed = settingsSchema.safeParse(given, { error: sentence });
  // What is secret is not shown either.
  const shown = ({ path }: Fault) => !isSecret(prefix + String(path[0]));
  if (!parsed.success) faults.push(...parsed.error.issues.flatMap(flat).filter(shown));
  const secretNames = namesOf(config.get("authentikSecrets") ?? "{}");
  const named = z.array(variable).safeParse(secretNames);
  if (!named.success) faults.push(...named.error.issues.map((issue) => ({ ...issue, path: ["authentikSecrets"] })));
  for (const name of secretNames?.filter((name) => name in (parsed.data?.authentik.environment ?? {})) ?? [])
    faults.push({ path: ["authentikSecrets", name], message: "is in authentik.environment too; take it out of one" });
  if (faults.length > 0 || !parsed.success) throw new pulumi.RunError(refusal(pulumi.getStack(), faults));
  const sshKey = config.getSecret("sshKey");
  return {
    ...parsed.data,
    sshKey: sshKey?.apply((key) => (key.endsWith("\n") ? key : `${key}\n`)),
    authentikSecrets: Object.fromEntries((secretNames ?? []).map((name) => [name, secretOf(config, name)])),
  };
}

/** The names in a secret table; undefined when it is none. The SDK's own message would show the text. */
function namesOf(text: string): string[] | undefined {
  const table = decoded(text);
  return typeof table === "object" && table !== null ? Object.keys(table) : undefined;
}

const secretOf = (config: pulumi.Config, name: string): pulumi.Output<string> =>
  config.requireSecretObject<Record<string, unknown>>("authentikSecrets").apply((secrets) => String(secrets[name]));

type Fault = Pick<z.core.$ZodIssue, "path" | "message">;

// Its values would go on as plain text, into files and the state, and the SDK says nothing about it.
const NOT_SECRET = `is kept secret, but its values go into files that are not; secret settings of authentik go into authentikSecrets`;
const isSecret = (key: string): boolean =>
  (pulumi.runtime as unknown as { isConfigSecret(key: string): boolean }).isConfigSecret(key);

// Pulumi hands every value over as text; objects, numbers and booleans as JSON.
function decoded(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

/** What is told about a value whose schema has no sentence of its own. */
function sentence(issue: z.core.$ZodRawIssue): string | undefined {
  const got = issue.input === undefined ? "nothing" : JSON.stringify(issue.input);
  if (issue.code === "invalid_type") return `expected ${KINDS[issue.expected] ?? issue.expected}, got ${got}`;
  if (issue.code === "invalid_value") return `expected one of ${issue.values.join(", ")}, got ${got}`;
  if (issue.code === "too_small") return `expected at least ${issue.minimum}, got ${got}`;
  if (issue.code === "too_big") return `expected at most ${issue.maximum}, got ${got}`;
  return undefined;
}

const KINDS: Record<string, string> = {
  object: "keys and values",
  record: "keys and values",
  string: "a text",
  boolean: "true or false",
  int: "a whole number",
  number: "a number",
};

// One fault a line: zod puts the unknown keys of a table, and what is wrong with a key, into one issue.
function flat(issue: z.core.$ZodIssue): Fault[] {
  if (issue.code === "unrecognized_keys")
    return issue.keys.map((key) => ({ path: [...issue.path, key], message: "there is no such key" }));
  if (issue.code === "invalid_key" || issue.code === "invalid_element")
    return issue.issues.map(({ message }) => ({ path: issue.path, message }));
  return [issue];
}

function refusal(stack: string, faults: readonly Fault[]): string {
  const lines = faults.map(({ path, message }) => `  ${path.join(".")}: ${message}`);
  return `Pulumi.${stack}.yaml is not accepted; nothing was done:\n${lines.join("\n")}\nEvery key is described in docs/configuration.md.`;
}
