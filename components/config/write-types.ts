// TypeScript interfaces for the input of a schema, so that an editor shows the description, default and example of a key.
import type { Node } from "../schema/json.ts";

/** An interface for the input of a schema, and those of its parts. */
export interface Interface {
  name: string;
  doc: string;
  node: Node;
  /** By key; a key with a table of values is a table of the interface. @default none */
  parts?: Record<string, { name: string; folder: string }>;
}

/** The values of a table with names that the operator chooses; undefined for anything else. */
export const elementOf = ({ additionalProperties }: Node): Node | undefined =>
  typeof additionalProperties === "object" ? additionalProperties : undefined;

/** The file that exports an interface. */
export function fileOf({ name, doc, node, parts = {} }: Interface): string {
  const imports = Object.values(parts).map(
    ({ name, folder }) => `import type { ${name} } from "../${folder}/input.ts";\n`,
  );
  const sdk = 'import type { Input } from "@pulumi/pulumi";\n';
  const head = `// Generated from the schema by \`npm run schema\`.\n${[sdk, ...imports.sort()].join("")}`;
  return `${head}\n/** ${doc} */\nexport interface ${name} ${fieldsOf(node, "", parts)}\n`;
}

/** The type of a value, which may be an Output unless it decides which resources exist. */
function typeOf(node: Node, indent: string): string {
  if (node.plain) return plainTypeOf(node, indent);
  if (node.anyOf?.some(({ properties }) => properties)) return choiceOf(node.anyOf, indent);
  if (!isLong(node.additionalProperties) && !isLong(node.items)) return `Input<${plainTypeOf(node, indent)}>`;
  // As the formatter writes it.
  return `Input<\n${indent}  ${plainTypeOf(node, `${indent}  `)}\n${indent}>`;
}

function plainTypeOf(node: Node, indent: string): string {
  if (node.anyOf) return node.anyOf.map((one) => plainTypeOf(one, indent)).join(" | ");
  if (node.enum) return node.enum.map((choice) => JSON.stringify(choice)).join(" | ");
  if (node.items) return listOf(typeOf(node.items, indent));
  if (node.properties) return fieldsOf(node, indent);
  if (typeof node.additionalProperties === "object") return tableOf(node.additionalProperties, indent);
  return [node.type]
    .flat()
    .map((type) => (type === "integer" ? "number" : type))
    .join(" | ");
}

/** Whether a table or a list of such values has a line for each of their keys. */
const isLong = (value: Node["additionalProperties"]): boolean =>
  typeof value === "object" && [value, ...(value.anyOf ?? [])].some(({ properties }) => properties !== undefined);

/** As the formatter writes it. */
function tableOf(value: Node, indent: string): string {
  if (!isLong(value)) return `Record<string, ${typeOf(value, indent)}>`;
  const inner = `${indent}  `;
  return `Record<\n${inner}string,\n${inner}${typeOf(value, inner)}\n${indent}>`;
}

/** As the formatter writes it. */
function choiceOf(choices: Node[], indent: string): string {
  const lines = choices.map((one) => `${indent}  | ${plainTypeOf(one, `${indent}    `)}\n`);
  return `Input<\n${lines.join("")}${indent}>`;
}

const listOf = (type: string): string =>
  / (?![^<]*>)/.test(type) && !type.startsWith("Input<{\n") ? `(${type})[]` : `${type}[]`;

function fieldsOf({ properties = {}, required = [] }: Node, indent: string, parts: Interface["parts"] = {}): string {
  const inner = `${indent}  `;
  const fields = Object.entries(properties).map(([key, node]) => {
    const mark = required.includes(key) ? "" : "?";
    const part = parts[key] && (elementOf(node) ? `Record<string, ${parts[key].name}>` : parts[key].name);
    return `${docOf(node, inner)}${inner}${key}${mark}: ${part ?? typeOf(node, inner)};\n`;
  });
  return `{\n${fields.join("")}${indent}}`;
}

function docOf({ description, unit, default: fallback, examples = [] }: Node, indent: string): string {
  const unitOf = unit && !description?.toLowerCase().includes(unit) ? ` In ${unit}.` : "";
  const lines = [
    ...(description ? wrapped(`${description}${unitOf}`, 116 - indent.length) : []),
    ...(fallback === undefined ? [] : [`@default ${JSON.stringify(fallback)}`]),
    ...(examples.length > 0 ? [`@example ${JSON.stringify(examples[0])}`] : []),
  ];
  return lines.length === 0
    ? ""
    : `${indent}/**\n${lines.map((line) => `${indent} * ${line}\n`).join("")}${indent} */\n`;
}

function wrapped(text: string, width: number): string[] {
  const lines: string[] = [];
  for (const word of text.split(" ")) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + word.length < width) lines[lines.length - 1] = `${last} ${word}`;
    else lines.push(word);
  }
  return lines;
}
