// Generates the reference of the configuration, and of the protocol with the agent, from the schemas. With --check it
// only compares.
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { z } from "zod";
import { schemas, withTables } from "../../protocol/reference.ts";
import { settingsSchema } from "./schema.ts";

type Node = {
  type?: string | string[];
  description?: string;
  default?: unknown;
  examples?: unknown[];
  /** Unit of a number, if it has one. */
  unit?: string;
  enum?: unknown[];
  const?: unknown;
  properties?: Record<string, Node>;
  required?: string[];
  additionalProperties?: Node | boolean;
  anyOf?: Node[];
};

const schema = z.toJSONSchema(settingsSchema, { io: "input", unrepresentable: "any" }) as Node;

/** JSON Schema for editors: a complete Pulumi.STACK.yaml. */
function stackSchema(): string {
  const sshKey = { description: "SSH private key, secret. Without it the keys of the SSH agent are used." };
  const authentikSecrets = {
    description:
      "Settings of authentik whose values are secret, by name. AUTHENTIK_SECRET_KEY takes the place of a generated key.",
  };
  const registries = {
    description: "How the host logs in to private registries, secret: username and password by registry.",
  };
  const backupKey = {
    description: "What opens the backup's repository, secret: an SSH private key, or the secret of an S3 key.",
  };
  const backupPassphrase = { description: "The passphrase of a repository that is there already, secret." };
  const secrets = { sshKey, authentikSecrets, registries, backupKey, backupPassphrase };
  const properties = Object.entries({ ...schema.properties, ...secrets }).map(([key, node]) => [
    `gatehouse:${key}`,
    node,
  ]);
  const config = {
    type: "object",
    properties: Object.fromEntries(properties),
    required: (schema.required ?? []).map((key) => `gatehouse:${key}`),
  };
  const whole = {
    $schema: "https://json-schema.org/draft/2020-12/schema",
    title: "A stack of gatehouse",
    type: "object",
    properties: { config },
    required: ["config"],
  };
  return `${JSON.stringify(whole, null, 2)}\n`;
}

/** Markdown reference for people: one row for each key. */
function reference(): string {
  const rows = [...keys("", schema)].map(([path, node, needed]) => {
    const fallback = needed ? "required" : node.default === undefined ? "none" : `\`${JSON.stringify(node.default)}\``;
    const shown = node.examples?.[0] ?? node.default;
    const example = shown === undefined ? "" : `\`${JSON.stringify(shown)}\``;
    return `| \`${path}\` | ${kind(node)}${node.unit ? `, ${node.unit}` : ""} | ${fallback} | ${node.description ?? ""} | ${example} |`;
  });
  return `# Configuration

Every key of \`Pulumi.STACK.yaml\`, below \`gatehouse:\`. Written from the schemas by \`npm run schema\`; the same in JSON
Schema, for editors, is [stack.schema.json](stack.schema.json). A key that is not listed is refused.

| key | value | without it | meaning | example |
|---|---|---|---|---|
| \`sshKey\` | secret text | the SSH agent | The private key that logs in. | \`pulumi config set --secret gatehouse:sshKey < KEYFILE\` |
| \`authentikSecrets\` | secret map | none | Settings of authentik whose values are secret; each reaches it as a file. AUTHENTIK_SECRET_KEY among them is the key of an authentik from before; without it one is generated. AUTHENTIK_BOOTSTRAP_PASSWORD is the first password of akadmin, or from 2026.5 on AUTHENTIK_BOOTSTRAP_PASSWORD_HASH its hash; without them one is generated. | \`pulumi config set --secret --path gatehouse:authentikSecrets.AUTHENTIK_EMAIL__PASSWORD\` |
| \`registries\` | secret map | none | How the host logs in to private registries: \`username\` and \`password\` by the name that their images begin with. Whatever root's Podman pulls there, at an \`up\`, at boot or by hand, is pulled with them. | \`pulumi config set --secret --path 'gatehouse:registries["ghcr.io"].password'\` |
| \`backupKey\` | secret text | none | What opens \`backup.repository\`: the private key for \`sftp\`, the secret of \`keyId\` for \`s3\`, nothing for \`path\`. | \`pulumi config set --secret gatehouse:backupKey < KEYFILE\` |
| \`backupPassphrase\` | secret text | a generated one | The passphrase of a repository that is there already, where the state with it was lost: \`recovery\` of the stack's outputs. | \`pulumi config set --secret gatehouse:backupPassphrase\` |
${rows.join("\n")}
`;
}

function* keys(path: string, node: Node): Generator<[path: string, node: Node, needed: boolean]> {
  for (const [name, child] of Object.entries(node.properties ?? {})) {
    const at = path ? `${path}.${name}` : name;
    const inner = child.properties
      ? child
      : typeof child.additionalProperties === "object"
        ? child.additionalProperties
        : undefined;
    if (child.description || !inner) yield [at, child, (node.required ?? []).includes(name)];
    if (inner?.properties) yield* keys(child.properties ? at : `${at}.NAME`, inner);
  }
}

const kind = ({ type, anyOf, enum: choices, const: only, properties, additionalProperties }: Node): string =>
  choices?.map((choice) => `\`${choice}\``).join(" or ") ??
  (only !== undefined ? `\`${only}\`` : undefined) ??
  anyOf?.map(kind).join(" or ") ??
  (properties || additionalProperties
    ? "map"
    : ({ string: "text", integer: "whole number" } as Record<string, string>)[String(type)]) ??
  String(type);

const fileOf = (path: string) => new URL(`../../${path}`, import.meta.url);
const documents = {
  "docs/configuration.md": reference(),
  "docs/stack.schema.json": stackSchema(),
  "docs/manifest.md": withTables(readFileSync(fileOf("docs/manifest.md"), "utf8")),
  ...schemas,
};
const stale = Object.entries(documents).filter(([path, text]) => {
  if (!process.argv.includes("--check")) writeFileSync(fileOf(path), text);
  return !existsSync(fileOf(path)) || readFileSync(fileOf(path), "utf8") !== text;
});
for (const [path] of stale) console.error(`${path} is not what the schemas say: run npm run schema`);
process.exitCode = stale.length > 0 ? 1 : 0;
