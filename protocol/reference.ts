// Generates reference material from the protocol's schemas: JSON Schemas, and the tables of docs/manifest.md.
import { z } from "zod";
import { answers } from "./answers.ts";
import { factsSchema } from "./facts.ts";
import { EXITS, failureSchema } from "./failure.ts";
import { accountSchema, groupSchema, keySchema, packagesSchema } from "./items.ts";
import { manifestSchema } from "./manifest.ts";

interface Node {
  type?: string;
  description?: string;
  default?: unknown;
  /** Effect of omitting the key, if the default does not explain it. */
  without?: string;
  properties?: Record<string, Node>;
  required?: string[];
  items?: Node;
  anyOf?: Node[];
  additionalProperties?: unknown;
  minimum?: number;
  maximum?: number;
}

/** The agent rejects unknown keys (`closed`); its answers may contain keys that this program does not know. */
const schemaOf = (schema: z.ZodType, closed: boolean): Node =>
  z.toJSONSchema(schema, {
    io: "input",
    override: ({ jsonSchema }) => {
      const node = jsonSchema as Node;
      if (node.properties) node.additionalProperties = closed ? false : undefined;
      if (node.type === "integer") for (const bound of ["minimum", "maximum"] as const) delete node[bound];
    },
  }) as Node;

const manifest = schemaOf(manifestSchema, true);
const items = {
  group: schemaOf(groupSchema, true),
  account: schemaOf(accountSchema, true),
  packages: schemaOf(packagesSchema, true),
  key: schemaOf(keySchema, true),
};
const answered = Object.fromEntries(
  Object.entries({ ...answers, failure: failureSchema, facts: factsSchema }).map(([kind, schema]) => [
    kind,
    schemaOf(schema, false),
  ]),
);

const json = (value: object) => `${JSON.stringify(value, null, 2)}\n`;

/** The JSON Schemas by path. */
export const schemas = {
  "protocol/manifest.schema.json": json(manifest),
  "protocol/items.schema.json": json(items),
  "protocol/answers.schema.json": json(answered),
};

/** The tables of the documentation. A preparation is documented by the table of a step. */
const tables: Record<string, Node> = { manifest, ...items };
for (const [name, { items: row }] of Object.entries(manifest.properties ?? {}))
  if (row && isTable(row) && name !== "preparation") tables[name] = row;

/** Replaces the table after each `<!-- table NAME -->` with the one generated from the schemas. */
export function withTables(document: string): string {
  const missing = new Set([...Object.keys(tables), "exits"]);
  const written = document.replace(/^(<!-- table (\w+) -->\n)\n(?:\|.*\n)+/gm, (_, marker: string, name: string) => {
    if (name === "exits") {
      missing.delete(name);
      return `${marker}\n${exits()}`;
    }
    const node = tables[name];
    if (!node) throw new Error(`the protocol has no table ${name}; it has ${Object.keys(tables).join(", ")}`);
    missing.delete(name);
    return `${marker}\n${table(node)}`;
  });
  if (missing.size > 0) throw new Error(`no <!-- table NAME --> for ${[...missing].join(", ")}`);
  return written;
}

function isTable({ properties, anyOf }: Node): boolean {
  return properties !== undefined || anyOf !== undefined;
}

const exits = (): string =>
  `| code | meaning | the host now | what to do |\n|---|---|---|---|\n${EXITS.map(({ code, what, host, remedy }) => `| ${code} | ${what} | ${host} | ${remedy}${remedy && " "}|\n`).join("")}`;

function table(node: Node): string {
  const variants = node.anyOf ?? [node];
  const keys = new Map(variants.flatMap(({ properties }) => Object.entries(properties ?? {})));
  const rows = [...keys].flatMap(([key, value]) => {
    if (value.items && isTable(value.items)) return [];
    if (!value.description) throw new Error(`${key} has no description`);
    const needed = variants.every(({ required }) => required?.includes(key));
    const fallback = value.default === undefined ? "none" : `\`${JSON.stringify(value.default)}\``;
    return [
      `| \`${key}\` | ${typeOf(value)} | ${needed ? "required" : (value.without ?? fallback)} | ${value.description} |\n`,
    ];
  });
  return `| key | type | default | meaning |\n|---|---|---|---|\n${rows.join("")}`;
}

const typeOf = ({ type, items }: Node): string =>
  type === "array" ? `list of ${items && typeOf(items)}s` : type === "string" ? "text" : String(type);
