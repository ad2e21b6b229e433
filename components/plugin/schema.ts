// The schema of the package for programs in other languages. The SDK's own analyzer cannot write it: it reads an interface
// without unions, and the arguments of a Gatehouse are the input of the settings' schema.
import { z } from "zod";
import { settingsSchema } from "../config/schema.ts";
import { platformSchema } from "../platform/contract.ts";
import { registriesSchema } from "../registries/schema.ts";
import type { Node } from "../schema/json.ts";
import { NamedTypes } from "./types.ts";

const NAME = "gatehouse";
/** The only component of the package: the others take components as arguments, such as a host. */
export const GATEHOUSE = `${NAME}:index:Gatehouse`;

const text = { type: "string" };
const textsByName = { type: "object", additionalProperties: text };
const table = (properties: Record<string, Node>): Node => ({
  type: "object",
  properties,
  required: Object.keys(properties),
});
const nodeOf = (schema: z.ZodType) => z.toJSONSchema(schema, { io: "input", unrepresentable: "any" }) as Node;

/** The secrets beside the settings that they belong to, by part. */
const SECRETS: Record<string, Record<string, Node>> = {
  host: {
    privateKey: { ...text, description: "SSH private key for the login. Without it: the keys of the SSH agent." },
  },
  authentik: {
    secretEnvironment: {
      ...textsByName,
      description:
        "Secret settings of authentik, each of which authentik reads from a file. AUTHENTIK_SECRET_KEY replaces the generated key.",
    },
  },
  backup: {
    key: {
      ...text,
      description: "Key to the repository: an SSH private key for `sftp`, the secret of `keyId` for `s3`.",
    },
    passphrase: { ...text, description: "Passphrase of an existing repository. Without it: a generated one." },
  },
};

/** The arguments of a Gatehouse, without the facts, which the plugin finds out itself. */
function inputs(): Node {
  const settings = nodeOf(settingsSchema);
  const parts = Object.entries(settings.properties ?? {}).map(([key, node]) => {
    const secrets = Object.entries(SECRETS[key] ?? {}).map(([name, secret]) => [name, { ...secret, secret: true }]);
    return [
      key,
      node.properties ? { ...node, properties: { ...node.properties, ...Object.fromEntries(secrets) } } : node,
    ];
  });
  const registries = {
    ...nodeOf(registriesSchema),
    description: "Logins to private registries, by registry, for every image on the host.",
    secret: true,
  };
  const appSecrets = {
    type: "object",
    additionalProperties: textsByName,
    description: "Values of the apps' configured secrets, by app and name.",
    secret: true,
  };
  return { ...settings, properties: { ...Object.fromEntries(parts), appSecrets, registries } };
}

const OUTPUTS = {
  platform: {
    ...nodeOf(platformSchema),
    description:
      "For other stacks: `Platform.fromStack` reads it if the program exports it under this name. Not secret.",
  },
  logins: {
    ...table({ postgres: textsByName, valkey: textsByName }),
    description: "Passwords of PostgreSQL roles and URLs of Valkey users, by name.",
    secret: true,
  },
  administrator: {
    ...table({ name: text, password: text }),
    description: "First login to a new authentik. Nothing if the arguments set a password.",
    secret: true,
  },
  recovery: {
    ...table({ passphrase: text, repository: text }),
    description: "Secrets that a restore on another host needs. Nothing without a backup.",
    secret: true,
  },
} satisfies Record<string, Node>;

/** The names of the component's outputs. */
export const outputNames = Object.keys(OUTPUTS) as (keyof typeof OUTPUTS)[];

/** What `pulumi package get-schema` prints; docs/package.schema.json is a copy without the version. */
export function packageSchema(version?: string) {
  const types = new NamedTypes(NAME);
  const given = inputs();
  return {
    name: NAME,
    version,
    description: "PostgreSQL, Valkey, authentik and Caddy on a Linux host that you own, set up over SSH.",
    license: "Apache-2.0",
    language: Object.fromEntries(
      ["nodejs", "python", "go", "csharp", "java"].map((language) => [language, { respectSchemaVersion: true }]),
    ),
    resources: {
      [GATEHOUSE]: {
        isComponent: true,
        description: "The whole platform on one host: PostgreSQL, Valkey, authentik and Caddy.",
        inputProperties: types.properties(given, ""),
        requiredInputs: given.required ?? [],
        properties: types.properties({ properties: OUTPUTS }, ""),
        required: ["platform", "logins"],
      },
    },
    types: types.found,
  };
}
