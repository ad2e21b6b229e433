// The documents of the repository as pages of the site: the title is that of the first heading, and links lead to pages.
import { cpSync, globSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { basename, dirname, join, posix, resolve } from "node:path";
import { fileURLToPath } from "node:url";

const ROOT = resolve(import.meta.dirname, "..");
const DOCUMENTS = ["*.md", "docs/**/*.md", "agent/*.md", "bench/*.md", "examples/*/README.md"];
/** What documents show or offer besides pages. */
const ASSETS = ["docs/*.svg", "docs/*.json"];

export interface Page {
  /** Its path in the repository. */
  source: string;
  /** Its path on the site: `` for the first page, `decisions/001-..`. */
  slug: string;
  title: string;
  /** Markdown without its first heading, with links of the site. */
  text: string;
}

/** Every document as a page. Throws if one begins with no heading. */
export function pages(): Page[] {
  const sources = globSync(DOCUMENTS, { cwd: ROOT }).sort();
  const slugs = new Map(sources.map((source) => [source, slugOf(source)]));
  const assets = new Set(globSync(ASSETS, { cwd: ROOT }));
  return sources.map((source) => {
    const [heading = "", ...lines] = readFileSync(join(ROOT, source), "utf8").split("\n");
    if (!heading.startsWith("# "))
      throw new Error(`${source} begins with ${JSON.stringify(heading)}, not with a heading such as "# Title"`);
    const slug = slugOf(source);
    const title = heading.slice(2).replaceAll("`", "");
    return { source, slug, title, text: linked(lines, source, slug, slugs, assets) };
  });
}

/** Those in the root of the repository are below `project`, since docs/ has a document of the name SECURITY.md, too. */
const slugOf = (source: string): string =>
  source
    .replace(/^(?!README)(?=[^/]+$)/, "project/")
    .replace(/^docs\//, "")
    .replace(/\.md$/, "")
    .replace(/(^|\/)README$/, "")
    .toLowerCase();

/** Links are written relative to the page, so that the site can be served below any path. */
function linked(
  lines: readonly string[],
  source: string,
  slug: string,
  slugs: ReadonlyMap<string, string>,
  assets: ReadonlySet<string>,
): string {
  const depth = slug ? slug.split("/").length : 0;
  const up = "../".repeat(depth) || "./";
  const link = (whole: string, image: string, text: string, target: string): string => {
    const [path = "", fragment] = target.split("#");
    if (!path || /^[a-z]+:/.test(path)) return whole;
    const to = posix.join(posix.dirname(source), path);
    // Astro takes an image from beside the page's file, which is one folder above the page's address.
    if (image) return `![${text}](${"../".repeat(Math.max(depth - 1, 0)) || "./"}${basename(to)})`;
    const page = slugs.get(to);
    const anchor = fragment ? `#${fragment}` : "";
    if (page !== undefined) return `[${text}](${up}${page ? `${page}/` : ""}${anchor})`;
    if (assets.has(to)) return `[${text}](${up}${basename(to)}${anchor})`;
    return text; // a file of the repository that the site does not have
  };
  let fenced = false;
  return lines
    .join("\n")
    .split(/^(?=\s*```)/m)
    .map((part) => {
      const [fence = ""] = /^\s*```.*\n?/.exec(part) ?? [];
      if (fence) fenced = !fenced;
      if (fenced) return part;
      return fence + part.slice(fence.length).replace(/(!?)\[((?:[^[\]]|\[[^\]]*\])*)\]\(([^()\s]+)\)/g, link);
    })
    .join("");
}

/** Writes the pages where Astro looks for them. */
function write(): void {
  const content = join(import.meta.dirname, "src/content/docs");
  const assets = join(import.meta.dirname, "public");
  for (const folder of [content, assets]) {
    rmSync(folder, { recursive: true, force: true });
    mkdirSync(folder, { recursive: true });
  }
  for (const { slug, title, text } of pages()) {
    const path = join(content, `${slug || "index"}.md`);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, `---\ntitle: ${JSON.stringify(title)}\nslug: ${JSON.stringify(slug || "index")}\n---\n${text}`);
  }
  for (const asset of globSync(ASSETS, { cwd: ROOT }))
    for (const folder of [content, assets]) cpSync(join(ROOT, asset), join(folder, basename(asset)));
}

if (process.argv[1] === fileURLToPath(import.meta.url)) write();
