// Checks each link of the built site: its page is there, and what it names on the page.
import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";

const DIST = join(import.meta.dirname, "dist");
const files = new Set(globSync("**/*.*", { cwd: DIST }));
const anchors = new Map(
  [...files]
    .filter((file) => file.endsWith(".html"))
    .map((file) => [file, new Set(matches(file, / id="([^"]+)"/g))] as const),
);

function matches(file: string, pattern: RegExp): string[] {
  return [...readFileSync(join(DIST, file), "utf8").matchAll(pattern)].map(([, found = ""]) => found);
}

const broken = [...anchors.keys()].flatMap((file) =>
  matches(file, /<a\b[^>]* href="([^"]+)"/g)
    .filter((target) => !/^[a-z]+:/.test(target))
    .filter((target) => {
      const { pathname, hash } = new URL(target.replaceAll("&amp;", "&"), `http://site/${file}`);
      const path = decodeURIComponent(pathname.slice(1)).replace(/(^|\/)$/, "$1index.html");
      const there = files.has(path);
      return !there || (hash && !(anchors.get(path)?.has(decodeURIComponent(hash.slice(1))) ?? true));
    })
    .map((target) => `${file}: ${target}`),
);
if (anchors.size < 10) broken.push(`only ${anchors.size} pages in ${DIST}`);
for (const line of broken) console.error(line);
console.log(`${anchors.size} pages, ${broken.length} broken links`);
process.exitCode = broken.length ? 1 : 0;
