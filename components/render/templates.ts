import nunjucks from "nunjucks";
import { missing, type Node, parsed, strict } from "./variables.ts";

/** Filters by name. */
type Filters = Readonly<Record<string, (...values: never[]) => unknown>>;

/**
 * The templates in a directory, as a function that renders one of them. A variable or a property that the view does not
 * have is an error wherever the template uses it: in its output, in a condition, in a branch that is not taken, or in a
 * template that it includes.
 *
 * @param autoescape whether inserted values are escaped for HTML
 */
export function templates(directory: string, autoescape: boolean, filters: Filters = {}) {
  const environment = new nunjucks.Environment(new nunjucks.FileSystemLoader(directory), {
    autoescape,
    throwOnUndefined: true,
    trimBlocks: true,
    lstripBlocks: true,
  });
  for (const [name, filter] of Object.entries(filters)) environment.addFilter(name, filter);
  const known = new Map<string, Node>();
  const load = (name: string): Node => {
    const { tmplStr } = environment.getTemplate(name) as nunjucks.Template & { tmplStr: string };
    const node = known.get(name) ?? parsed(tmplStr);
    known.set(name, node);
    return node;
  };

  return (name: string, view: object): string => {
    const lacks = [...missing(load(name), view, load)];
    if (lacks.length > 0) throw new Error(`the view has no ${lacks.join(", ")}`);
    return environment
      .getTemplate(name)
      .render(Object.fromEntries(Object.entries(view).map(([key, value]) => [key, strict(value)])));
  };
}
