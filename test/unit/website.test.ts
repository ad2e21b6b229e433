import { globSync, readFileSync } from "node:fs";
import { resolve } from "node:path";
import { expect, test } from "vitest";
import { pages } from "../../website/pages.ts";
import { SIDEBAR } from "../../website/sidebar.ts";

const ROOT = resolve(import.meta.dirname, "../..");
const all = pages();
const page = (source: string) => all.find((page) => page.source === source);

test("every document is a page, and once in the sidebar", () => {
  const listed = SIDEBAR.flatMap(({ documents = [], folder }) => [
    ...documents,
    ...(folder ? globSync(`${folder}/*.md`, { cwd: ROOT }) : []),
  ]);
  expect(listed.sort()).toEqual(all.map(({ source }) => source).sort());
  expect(all.length).toBeGreaterThan(50);
});

test("a page has the title and the address of its document", () => {
  expect(page("README.md")).toMatchObject({ slug: "", title: "gatehouse" });
  expect(page("docs/operations.md")).toMatchObject({ slug: "operations", title: "On the host" });
  expect(page("docs/decisions/README.md")).toMatchObject({ slug: "decisions", title: "Decisions" });
  expect(new Set(all.map(({ slug }) => slug)).size).toBe(all.length);
});

test("links refer to pages, images are beside the page, and commands are unchanged", () => {
  expect(page("README.md")?.text).toContain("](./platforms/)");
  expect(page("README.md")?.text).toContain("](./doors.svg)");
  expect(page("docs/operations.md")?.text).toContain("](../manifest/#exit-codes)");
  expect(page("docs/decisions/059-published-under-its-owners-name.md")?.text).toContain(
    "](../../decisions/018-one-schema-built-when-packed/)",
  );
  for (const { source, text } of all) {
    expect(text.match(/\]\([^)\s]+\.md[)#]/g) ?? [], source).toEqual([]);
    const fences = (of: string) => of.match(/^\s*```[\s\S]*?^\s*```$/gm);
    expect(fences(text), source).toEqual(fences(readFileSync(resolve(ROOT, source), "utf8")));
  }
});
