import nunjucks from "nunjucks";
import { strict, variables } from "./variables.ts";

/** Filters by name. */
type Filters = Readonly<Record<string, (...values: never[]) => unknown>>;

/**
 * The templates in a directory, as a function that renders one of them. A variable that is undefined is an error wherever
 * the template uses it: in its output, in a condition, or in a branch that is not taken.
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
  const known = new Map<string, ReadonlySet<string>>();

  return (name: string, view: object): string => {
    const template = environment.getTemplate(name) as nunjucks.Template & { tmplStr: string };
    const used = known.get(name) ?? variables(template.tmplStr);
    known.set(name, used);
    const missing = [...used].filter((variable) => !Object.hasOwn(view, variable));
    if (missing.length > 0) throw new Error(`the view has no ${missing.join(", ")}`);
    return template.render(Object.fromEntries(Object.entries(view).map(([key, value]) => [key, strict(value)])));
  };
}
