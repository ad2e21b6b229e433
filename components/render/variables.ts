// What a template reads from its view, in any branch: a property of the view that does not exist is found before the
// template is rendered, also where this rendering would not read it.
import nunjucks from "nunjucks";

/** A node of a parsed template; the type definitions of nunjucks do not cover its parser. */
export interface Node {
  typename: string;
  value?: unknown;
  iterFields(visit: (field: unknown, name: string) => void): void;
}
const { parser, nodes } = nunjucks as unknown as {
  parser: { parse(source: string): Node };
  nodes: { Node: new () => Node };
};
type Fields = Node & Record<string, unknown>;

/** Parses a template. */
export const parsed = (source: string): Node => parser.parse(source);

/** Values that a name or an expression can have; unknown if undefined. */
type Values = readonly unknown[] | undefined;
type Scope = Map<string, Values>;

/** Functions of nunjucks. */
const GLOBALS: [string, Values][] = ["range", "cycler", "joiner"].map((name) => [name, undefined]);
/** What `loop` has in the body of a loop. */
const LOOP = { index: 1, index0: 0, revindex: 1, revindex0: 0, first: true, last: true, length: 1 };

/**
 * The paths that a template reads, in any branch and in the templates that it includes, and that its view does not have,
 * such as `site.tsl`. A variable of a loop has the value of each element of its list, and a parameter of a macro that
 * of the arguments of each call. Properties of an undefined value, or of an element of an empty list, are not checked.
 *
 * @param load parses another template.
 * @throws Error if the name of an included template is not a literal.
 */
export function missing(template: Node, view: object, load: (name: string) => Node): Set<string> {
  const found = new Set<string>();
  const walk = new Walk(view, load, found);
  walk.visit(template, new Map(GLOBALS));
  return found;
}

class Walk {
  readonly #view: object;
  readonly #load: (name: string) => Node;
  readonly #found: Set<string>;
  readonly #macros = new Map<string, Fields>();
  /** Macros that are being called: one may call itself. */
  readonly #called = new Set<Fields>();

  constructor(view: object, load: (name: string) => Node, found: Set<string>) {
    this.#view = view;
    this.#load = load;
    this.#found = found;
  }

  /** Visits all branches. Returns the possible values of an expression. */
  visit(field: unknown, scope: Scope): Values {
    if (Array.isArray(field)) for (const one of field) this.visit(one, scope);
    if (!(field instanceof nodes.Node)) return undefined;
    const node = field as Fields;
    const visitor = this.#visitors[node.typename];
    if (visitor) return visitor(node, scope);
    node.iterFields((inner) => this.visit(inner, scope));
    return undefined;
  }

  readonly #visitors: Partial<Record<string, (node: Fields, scope: Scope) => Values>> = {
    Literal: ({ value }) => [value],
    Symbol: ({ value }, scope) => this.#variable(String(value), scope),
    LookupVal: (node, scope) => this.#property(node, scope, false),
    FunCall: (node, scope) => this.#call(node, scope),
    // The name of a filter or a test, and a key, are no variables.
    Filter: ({ args }, scope) => this.visit(args, scope) && undefined,
    Is: ({ left }, scope) => this.visit(left, scope) && undefined,
    Block: ({ body }, scope) => this.visit(body, scope),
    Pair: ({ value }, scope) => this.visit(value, scope),
    InlineIf: ({ cond, body, else_ }, scope) => {
      this.visit(cond, scope);
      return either(this.visit(body, scope), this.visit(else_, scope));
    },
    Or: ({ left, right }, scope) => either(this.visit(left, scope), this.visit(right, scope)),
    For: (node, scope) => this.#loop(node, scope),
    Macro: (node, scope) => {
      const name = String((node.name as Node).value);
      this.#macros.set(name, node);
      scope.set(name, undefined);
      this.#expand(node, scope, []);
      return undefined;
    },
    Set: ({ value, body, targets }, scope) => {
      const values = this.visit(value, scope);
      this.visit(body, scope);
      for (const target of targets as Node[]) scope.set(String(target.value), values);
      return undefined;
    },
    Include: ({ template }, scope) => this.visit(this.#load(literal(template)), new Map(scope)),
    Extends: ({ template }, scope) => this.visit(this.#load(literal(template)), scope),
    Import: ({ template, target, withContext }, scope) => {
      this.#imported(template, withContext, scope);
      scope.set(String((target as Node).value), undefined);
      return undefined;
    },
    FromImport: ({ template, names, withContext }, scope) => {
      this.#imported(template, withContext, scope);
      for (const name of (names as { children: Fields[] }).children)
        scope.set(String(((name.value as Node | undefined)?.value ?? name.value) as string), undefined);
      return undefined;
    },
  };

  #variable(name: string, scope: Scope): Values {
    if (scope.has(name)) return scope.get(name);
    if (Object.hasOwn(this.#view, name)) return [Reflect.get(this.#view, name)];
    this.#found.add(name);
    return undefined;
  }

  /** A property that one of the possible values does not have is missing, whichever of them this rendering reads. */
  #property({ target, val }: Fields, scope: Scope, isCalled: boolean): Values {
    const values = this.visit(target, scope);
    this.visit(val, scope);
    const { typename, value: name } = val as Node;
    if (!values || typename !== "Literal") return undefined;
    const key = String(name);
    return values.flatMap((value) => {
      if (value === undefined || value === null) return [];
      const isMethod = isCalled && typeof Reflect.get(Object(value), key) === "function";
      if (!isMethod && !Object.hasOwn(Object(value), key) && !isIndex(value, key))
        this.#found.add(`${textOf(target)}.${key}`);
      return [Reflect.get(Object(value), key)];
    });
  }

  #call({ name, args }: Fields, scope: Scope): Values {
    const given = (args as { children: Fields[] }).children.map((one) => this.visit(one, scope));
    const called = name as Fields;
    if (called.typename === "LookupVal") this.#property(called, scope, true);
    else this.visit(called, scope);
    const macro = this.#macros.get(String(called.value));
    if (called.typename === "Symbol" && macro) this.#expand(macro, scope, given);
    return undefined;
  }

  #expand(macro: Fields, scope: Scope, given: readonly Values[]): void {
    if (this.#called.has(macro)) return;
    this.#called.add(macro);
    const inner = new Map(scope);
    for (const [index, name] of symbols(macro.args).entries()) inner.set(name, given[index]);
    this.visit(macro.body, inner);
    this.#called.delete(macro);
  }

  #loop({ arr, name, body, else_ }: Fields, scope: Scope): undefined {
    const values = this.visit(arr, scope);
    this.visit(else_, scope);
    const names = symbols(name);
    const inner = new Map(scope).set("loop", [LOOP]);
    const rows = values?.flatMap((value) => rowsOf(value, names.length)) ?? [];
    for (const [index, one] of names.entries())
      inner.set(one, rows.length === 0 ? undefined : rows.map((row) => row[index]));
    this.visit(body, inner);
  }

  /** A template without the context has none of its variables. */
  #imported(template: unknown, withContext: unknown, scope: Scope): void {
    const walk = withContext ? this : new Walk({}, this.#load, this.#found);
    walk.visit(this.#load(literal(template)), withContext ? new Map(scope) : new Map(GLOBALS));
  }
}

const either = (one: Values, other: Values): Values => one && other && [...one, ...other];

const isIndex = (value: unknown, key: string): boolean => Array.isArray(value) && /^\d+$/.test(key);

/** The values for the names of a loop in each turn: the elements of a list, or the keys and values of a table. */
function rowsOf(value: unknown, names: number): unknown[][] {
  if (Array.isArray(value)) return value.map((one) => (names > 1 && Array.isArray(one) ? one : [one]));
  return typeof value === "object" && value !== null ? Object.entries(value) : [];
}

/** The names in a node, in their order. */
function symbols(field: unknown): string[] {
  if (Array.isArray(field)) return field.flatMap(symbols);
  if (!(field instanceof nodes.Node)) return [];
  const node = field as Fields;
  if (node.typename === "Symbol") return [String(node.value)];
  // A parameter with a default.
  if (node.typename === "Pair") return symbols(node.key);
  return symbols(node.children);
}

/** An expression as in the template, as far as it is a path. */
function textOf(field: unknown): string {
  const node = field as Fields;
  if (node.typename === "LookupVal") return `${textOf(node.target)}.${textOf(node.val)}`;
  return node.typename === "Symbol" || node.typename === "Literal" ? String(node.value) : "(...)";
}

function literal(template: unknown): string {
  const { typename, value } = template as Node;
  if (typename !== "Literal")
    throw new Error("the name of an included template has to be a literal, so that it can be checked");
  return String(value);
}

/**
 * The same value, except that reading a property that it does not have is an error: for a key that is known only while
 * the template is rendered. Nunjucks itself reports an undefined value only where it is written, not where a condition
 * reads it.
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
