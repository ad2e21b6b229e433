import nunjucks from "nunjucks";

/** A node of a parsed template; the type definitions of nunjucks do not cover its parser. */
interface Node {
  typename: string;
  value?: unknown;
  iterFields(visit: (field: unknown, name: string) => void): void;
}
const { parser, nodes } = nunjucks as unknown as {
  parser: { parse(source: string): Node };
  nodes: { Node: new () => Node };
};

/** Functions of nunjucks. */
const GLOBALS = ["range", "cycler", "joiner"];
/** What `loop` has in the body of a loop. */
const OF_LOOP = ["index", "index0", "revindex", "revindex0", "first", "last", "length"];

/**
 * The variables of a template: the names that it uses in any branch and that it does not define itself where it uses
 * them. The variable of a loop is defined in its body only.
 */
export function variables(source: string): Set<string> {
  const used = new Set<string>();
  const collect = (field: unknown, own: Set<string>): void => {
    if (Array.isArray(field)) for (const one of field) collect(one, own);
    if (!(field instanceof nodes.Node)) return;
    const node = field as Node & Record<string, unknown>;
    const { typename, value } = node;
    if (typename === "Symbol" && !own.has(String(value))) used.add(String(value));
    else if (typename === "For") {
      collect([node.arr, node.else_], own);
      collect(node.body, new Set([...own, "loop", ...symbols(node.name)]));
    } else if (typename === "Macro") {
      for (const name of symbols(node.name)) own.add(name);
      collect(node.body, new Set([...own, ...symbols(node.args)]));
    } else if (typename === "Set") {
      collect([node.value, node.body], own);
      for (const name of symbols(node.targets)) own.add(name);
    } else if (typename === "LookupVal" && own.has("loop") && symbols(node.target).has("loop")) {
      const { value: member } = node.val as Node;
      if (!OF_LOOP.includes(String(member))) used.add(`loop.${member}`);
    } else
      field.iterFields((inner, name) => {
        // The name of a filter, and a key, are no variables.
        const isName = typename === "Filter" ? name === "name" : typename === "Pair" && name === "key";
        if (!isName) collect(inner, own);
      });
  };
  collect(parser.parse(source), new Set(GLOBALS));
  return used;
}

/** The symbols in a node. */
function symbols(field: unknown): Set<string> {
  const found = new Set<string>();
  const visit = (one: unknown): void => {
    if (Array.isArray(one)) for (const inner of one) visit(inner);
    if (!(one instanceof nodes.Node)) return;
    if (one.typename === "Symbol") found.add(String(one.value));
    one.iterFields(visit);
  };
  visit(field);
  return found;
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
