// Golden files: test/render/golden/CASE/PATH is the file that the program puts at PATH on a host. A review shows a
// change of a template or a view as a change of these files.
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Manifest } from "../../protocol/manifest.ts";

export type Tree = Record<string, string>;

const GOLDEN = fileURLToPath(new URL("golden/", import.meta.url));

/** Every file of these manifests by its path, and each step's input as `/steps/NAME`. */
export function treeOf(manifests: readonly Manifest[]): Tree {
  const tree: Tree = {};
  const add = (path: string, content: string) => {
    if (tree[path] !== undefined) throw new Error(`${path} is rendered twice`);
    tree[path] = content;
  };
  for (const { files = [], steps = [] } of manifests) {
    for (const { path, content } of files) add(path, content);
    for (const { name, stdin } of steps) if (stdin) add(`/steps/${name.replaceAll(" ", "-")}`, stdin);
  }
  return tree;
}

/**
 * The differences between a tree and its golden files, one sentence each. UPDATE_GOLDEN=1 writes the golden files
 * instead.
 */
export function differences(name: string, tree: Tree, folder = GOLDEN, update = process.env.UPDATE_GOLDEN === "1") {
  const root = join(folder, name);
  if (update) {
    rmSync(root, { recursive: true, force: true });
    for (const [path, content] of Object.entries(tree)) {
      mkdirSync(dirname(join(root, path)), { recursive: true });
      writeFileSync(join(root, path), content);
    }
  }
  const golden = existsSync(root)
    ? readdirSync(root, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile())
    : [];
  const paths = golden.map((entry) => join(entry.parentPath, entry.name).slice(root.length));
  const how = "if that is meant: UPDATE_GOLDEN=1 npx vitest run --project check test/render";
  return [
    ...Object.keys(tree)
      .filter((path) => !paths.includes(path))
      .map((path) => `${name}: ${path} is rendered and has no golden file; ${how}`),
    ...paths
      .filter((path) => tree[path] === undefined)
      .map((path) => `${name}: the golden file of ${path} is stale, nothing renders it; ${how}`),
    ...paths.flatMap((path) => {
      const [was, is] = [readFileSync(join(root, path), "utf8"), tree[path]];
      return is === undefined || is === was ? [] : [`${name}: ${path} has changed; ${how}\n${changedLines(was, is)}`];
    }),
  ];
}

/** The lines from the first to the last difference. */
function changedLines(was: string, is: string): string {
  const [before, after] = [was.split("\n"), is.split("\n")];
  let start = 0;
  while (start < before.length && before[start] === after[start]) start++;
  let end = 0;
  while (end < before.length - start && end < after.length - start && before.at(-1 - end) === after.at(-1 - end)) end++;
  const between = (lines: string[], sign: string) =>
    lines.slice(start, lines.length - end).map((line) => `${start + 1}: ${sign}${line}`);
  return [...between(before, "-"), ...between(after, "+")].join("\n");
}
