import nunjucks from "nunjucks";

/** A node of a parsed template; the type definitions of nunjucks do not cover its parser. */
interface Node {
  typename: string;
  value?: unknown;
  iterFields(visit: (field: unknown, name: string) => void): void;
  children?: Node[];
}
const { parser, nodes } = nunjucks as unknown as {
  parser: { parse(source: string): Node };
  nodes: { Node: new () => Node };
};

/** The fields in which a node defines names of its own. */
const DEFINES: Record<string, readonly string[]> = { For: ["name"], Macro: ["name", "args"], Set: ["targets"] };

/** The variables of a template: the names that it uses in any branch and does not define itself. */
export function variables(source: string): Set<string> {
  const used = new Set<string>();
  const own = new Set(["loop"]);
  const collect = (field: unknown, into: Set<string>): void => {
    if (Array.isArray(field)) for (const one of field) collect(one, into);
    if (!(field instanceof nodes.Node)) return;
    if (field.typename === "Symbol") into.add(String(field.value));
    collect(field.children, into);
    const defines = DEFINES[field.typename] ?? [];
    field.iterFields((inner, name) => {
      // In all other nodes, `name` is that of a filter.
      if (defines.includes(name)) collect(inner, own);
      else if (name !== "name") collect(inner, into);
    });
  };
  collect(parser.parse(source), used);
  return used.difference(own);
}

/**
 * The same value, except that reading a property that it does not have is an error. Nunjucks itself reports an undefined
 * value only where it is written, not where a condition reads it.
 */
export function strict<T>(value: T): T {
  if (typeof value !== "object" || value === null) return value;
  return new Proxy(value, {
    get: (target, key) => {
      if (typeof key === "string" && !(key in target)) throw new Error(`"${key}" is not defined`);
      return strict(Reflect.get(target, key));
    },
  });
}
