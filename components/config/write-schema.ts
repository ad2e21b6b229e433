// Generates the reference and the types of the configuration, and the reference of the protocol with the agent, from the
// schemas. With --check it only compares.
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { z } from "zod";
import { schemas, withTables } from "../../protocol/reference.ts";
import type { Node } from "../schema/json.ts";
import { clusterSchema } from "./cluster-schema.ts";
import { settingsSchema } from "./schema.ts";
import { elementOf, fileOf as interfaceFile } from "./write-types.ts";

const jsonSchema = (schema: z.ZodType) => z.toJSONSchema(schema, { io: "input", unrepresentable: "any" }) as Node;
const schema = jsonSchema(settingsSchema);
const { hosts } = jsonSchema(clusterSchema).properties ?? {};

/** The keys of a stack: on one host, or on three. */
function* stackKeys(): Generator<[name: string, node: Node]> {
  for (const [name, node] of Object.entries(schema.properties ?? {})) {
    yield [name, node];
    if (name === "host" && hosts) yield ["hosts", hosts];
  }
}

/** JSON Schema for editors: a complete Pulumi.STACK.yaml. */
function stackSchema(): string {
  const sshKey = { description: "SSH private key, secret. Without it, the keys of the SSH agent are used." };
  const authentikSecrets = {
    description: "Secret settings of authentik, by name. AUTHENTIK_SECRET_KEY replaces the generated key.",
  };
  const registries = {
    description: "Logins of the host to private registries, secret: username and password by registry.",
  };
  const backupKey = {
    description: "Key to the backup repository, secret: an SSH private key, or the secret of an S3 access key.",
  };
  const backupPassphrase = { description: "Passphrase of an existing backup repository, secret." };
  const appSecrets = { description: "Secrets of apps, by app and name: those that `apps` calls `configured`." };
  const secrets = { sshKey, authentikSecrets, appSecrets, registries, backupKey, backupPassphrase };
  const properties = Object.entries({ ...Object.fromEntries(stackKeys()), ...secrets }).map(([key, node]) => [
    `gatehouse:${key}`,
    node,
  ]);
  const config = {
    type: "object",
    properties: Object.fromEntries(properties),
    required: (schema.required ?? []).filter((key) => key !== "host").map((key) => `gatehouse:${key}`),
    oneOf: [{ required: ["gatehouse:host"] }, { required: ["gatehouse:hosts"] }],
  };
  const whole = {
    $schema: "https://json-schema.org/draft/2020-12/schema",
    title: "A stack of gatehouse",
    type: "object",
    properties: { config },
    required: ["config"],
  };
  // In a configuration, every value is plain.
  return `${JSON.stringify(whole, (key, value) => (key === "plain" ? undefined : value), 2)}\n`;
}

/** Markdown reference for people: one row for each key. */
function reference(): string {
  const whole = { ...schema, properties: Object.fromEntries(stackKeys()) };
  const rows = [...keys("", whole)].map(([path, node, needed]) => {
    const fallback =
      path === "host" || path === "hosts"
        ? "`host` or `hosts` is required"
        : needed
          ? "required"
          : node.default === undefined
            ? "none"
            : `\`${JSON.stringify(node.default)}\``;
    const shown = node.examples?.[0] ?? node.default;
    const example = shown === undefined ? "" : `\`${JSON.stringify(shown)}\``;
    return `| \`${path}\` | ${kind(node)}${node.unit ? `, ${node.unit}` : ""} | ${fallback} | ${node.description ?? ""} | ${example} |`;
  });
  return `# Configuration

All keys of \`Pulumi.STACK.yaml\`, below \`gatehouse:\`. This page is generated from the schemas by \`npm run schema\`, as is
the JSON Schema for editors, [stack.schema.json](stack.schema.json). Keys that are not listed are refused.

| key | value | without it | meaning | example |
|---|---|---|---|---|
| \`sshKey\` | secret text | the SSH agent | SSH private key for the login. | \`pulumi config set --secret gatehouse:sshKey < KEYFILE\` |
| \`authentikSecrets\` | secret map | none | Secret settings of authentik, each of which authentik reads from a file. AUTHENTIK_SECRET_KEY is the secret key of an existing authentik; without it, a key is generated. AUTHENTIK_BOOTSTRAP_PASSWORD is the first password of akadmin, and AUTHENTIK_BOOTSTRAP_PASSWORD_HASH its hash (from 2026.5 on); without them, a password is generated. | \`pulumi config set --secret --path gatehouse:authentikSecrets.AUTHENTIK_EMAIL__PASSWORD\` |
| \`appSecrets\` | secret map | none | Secrets of apps, by app and name: those that \`apps.NAME.containers.NAME.secrets\` calls \`configured\`. | \`pulumi config set --secret --path gatehouse:appSecrets.wiki.smtp-password\` |
| \`registries\` | secret map | none | Logins of the host to private registries: \`username\` and \`password\` by registry, as in the names of images. Podman uses them for all pulls by root, at an \`up\`, at boot or manual. | \`pulumi config set --secret --path 'gatehouse:registries["ghcr.io"].password'\` |
| \`backupKey\` | secret text | none | Key to \`backup.repository\`: the SSH private key for \`sftp\`, the secret of \`keyId\` for \`s3\`; not used for \`path\`. | \`pulumi config set --secret gatehouse:backupKey < KEYFILE\` |
| \`backupPassphrase\` | secret text | a generated one | Passphrase of an existing repository, if the state that contained it was lost: the output \`recovery\` of the stack. | \`pulumi config set --secret gatehouse:backupPassphrase\` |
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

/** The interfaces of the parts by key, each in the folder of its component. */
const PARTS = {
  apps: { name: "AppInput", folder: "app" },
  authentik: { name: "AuthentikInput", folder: "authentik" },
  backup: { name: "BackupInput", folder: "backup" },
  caddy: { name: "CaddyInput", folder: "caddy" },
  postgres: { name: "PostgresInput", folder: "postgres" },
  valkey: { name: "ValkeyInput", folder: "valkey" },
};

/** The interfaces of the settings, by their files: an editor shows the docstring of each key. */
function interfaces(): Record<string, string> {
  const doc = "Settings as they are given: what has a default may be left out.";
  const files = Object.entries(PARTS).map(([key, { name, folder }]) => {
    const part = schema.properties?.[key] as Node;
    return [`components/${folder}/input.ts`, interfaceFile({ name, doc, node: elementOf(part) ?? part })];
  });
  const whole = interfaceFile({ name: "SettingsInput", doc, node: schema, parts: PARTS });
  return { ...Object.fromEntries(files), "components/config/input.ts": whole };
}

const fileOf = (path: string) => new URL(`../../${path}`, import.meta.url);
const documents = {
  "docs/configuration.md": reference(),
  "docs/stack.schema.json": stackSchema(),
  ...interfaces(),
  "docs/manifest.md": withTables(readFileSync(fileOf("docs/manifest.md"), "utf8")),
  ...schemas,
};
const stale = Object.entries(documents).filter(([path, text]) => {
  if (!process.argv.includes("--check")) writeFileSync(fileOf(path), text);
  return !existsSync(fileOf(path)) || readFileSync(fileOf(path), "utf8") !== text;
});
for (const [path] of stale) console.error(`${path} does not match the schemas: run npm run schema`);
process.exitCode = stale.length > 0 ? 1 : 0;
