// Types of Pulumi's package schema, from JSON Schema: https://www.pulumi.com/docs/iac/extending-pulumi/schema/
import type { Node } from "../schema/json.ts";

/** The type of a value. */
export interface Type {
  type?: string;
  $ref?: string;
  items?: Type;
  additionalProperties?: Type;
  oneOf?: Type[];
}

/** A property of an object. */
export interface Property extends Type {
  description?: string;
  secret?: true;
  /** Whether it cannot be an Output. */
  plain?: true;
}

/** An object with its properties, or a choice between texts. */
export type Named =
  | { type: "object"; properties: Record<string, Property>; required?: string[] }
  | { type: "string"; enum: { value: unknown }[] };

/** Pulumi's schema nests no objects: each becomes a type with a name, which is made of the keys that lead to it. */
export class NamedTypes {
  /** The types so far, by token. */
  readonly found: Record<string, Named> = {};
  readonly #package: string;

  constructor(name: string) {
    this.#package = name;
  }

  /** The properties of an object. */
  properties({ properties = {} }: Node, name: string): Record<string, Property> {
    return Object.fromEntries(
      Object.entries(properties).map(([key, node]) => {
        const description = descriptionOf(node);
        const type = this.typeOf(node, name + capital(key));
        const marks = { ...(node.plain && { plain: true as const }), ...(node.secret && { secret: true as const }) };
        return [key, { ...type, ...(description && { description }), ...marks }];
      }),
    );
  }

  /** The type of a value; `name` is for objects in it. */
  typeOf(node: Node, name: string): Type {
    if (node.anyOf) return { oneOf: node.anyOf.flatMap((one) => alternatives(this.typeOf(one, name))) };
    if (node.enum) return this.#add(name, { type: "string", enum: node.enum.map((value) => ({ value })) });
    if (node.items) return { type: "array", items: this.typeOf(node.items, singular(name)) };
    if (node.properties) {
      const { required } = node;
      const properties = this.properties(node, name);
      return this.#add(name, { type: "object", properties, ...(required && { required }) });
    }
    if (typeof node.additionalProperties === "object")
      return { type: "object", additionalProperties: this.typeOf(node.additionalProperties, singular(name)) };
    const [type, ...more] = [node.type].flat();
    return more.length > 0 ? { oneOf: [type, ...more].map((type) => ({ type })) } : { type };
  }

  #add(name: string, type: Named): Type {
    const token = `${this.#package}:index:${name}`;
    this.found[token] = type;
    return { $ref: `#/types/${token}` };
  }
}

const alternatives = (type: Type): Type[] => type.oneOf ?? [type];
const capital = (key: string): string => key.charAt(0).toUpperCase() + key.slice(1);
const singular = (name: string): string => name.replace(/ies$/, "y").replace(/s$/, "");

/** A default is only described: as one of Pulumi's it would be fixed in the generated SDK of a consumer. */
function descriptionOf({ description = "", unit, default: fallback, examples = [], properties }: Node): string {
  const described = !properties && fallback !== undefined && fallback !== "";
  return [
    description,
    ...(unit && !description.toLowerCase().includes(unit) ? [`In ${unit}.`] : []),
    ...(described ? [`Default: ${JSON.stringify(fallback)}.`] : []),
    ...(examples.length > 0 ? [`Example: ${JSON.stringify(examples[0])}.`] : []),
  ]
    .filter(Boolean)
    .join(" ");
}
