import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import nunjucks from "nunjucks";
import { expect, test, vi } from "vitest";
import { differences, treeOf } from "./golden.ts";
import { KEPT } from "./kept.ts";

test.each(Object.entries(KEPT))("every file of case %s matches its golden file", (name, manifests) => {
  expect(differences(name, treeOf(manifests()))).toEqual([]);
});

test.each(Object.entries(KEPT))(
  "every placeholder for a secret in case %s is listed by its file, and no other",
  (_, manifests) => {
    const files = manifests().flatMap(({ files = [] }) => files);
    for (const { path, content, secrets = [] } of files)
      expect([path, ...[...content.matchAll(/\{\{secrets ([^{}\s]+)\}\}/g)].map(([, name]) => name)]).toEqual([
        path,
        ...secrets,
      ]);
  },
);

test("there is no golden folder without a case", () => {
  expect(readdirSync(fileURLToPath(new URL("golden", import.meta.url))).sort()).toEqual(Object.keys(KEPT).sort());
});

test("every template is rendered by some case", () => {
  const folder = fileURLToPath(new URL("../../templates/", import.meta.url));
  const templates = readdirSync(folder, { recursive: true, encoding: "utf8" }).filter((path) => path.endsWith(".njk"));
  const loaded = vi.spyOn(nunjucks.Environment.prototype, "getTemplate");
  for (const manifests of Object.values(KEPT)) manifests();
  const rendered = new Set(loaded.mock.calls.map(([name]) => name));
  expect([...rendered].sort()).toEqual(templates.sort());
});

test("a changed file, one without a golden file and a stale golden file are each reported, with the remedy", () => {
  const folder = mkdtempSync(join(tmpdir(), "golden-test-"));
  try {
    expect(differences("case", { "/a": "1\n2\n3\n", "/etc/b": "b\n" }, folder, true)).toEqual([]);
    expect(differences("case", { "/a": "1\n2\n3\n", "/etc/b": "b\n" }, folder, false)).toEqual([]);
    writeFileSync(join(folder, "case/stale"), "");
    const how = "if that is meant: UPDATE_GOLDEN=1 npx vitest run --project check test/render";
    expect(differences("case", { "/a": "1\ntwo\n3\n", "/etc/b": "b\n", "/new": "" }, folder, false)).toEqual([
      `case: /new is rendered and has no golden file; ${how}`,
      `case: the golden file of /stale is stale, nothing renders it; ${how}`,
      `case: /a has changed; ${how}\n2: -2\n2: +two`,
    ]);
    expect(differences("case", { "/a": "1\n" }, folder, true)).toEqual([]);
    expect(readdirSync(join(folder, "case"))).toEqual(["a"]);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
