import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, onTestFinished, test } from "vitest";
import { PROGRAMS } from "./exports.ts";
import { EXAMPLES } from "./guide.ts";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));

test("the compiler accepts the examples of the guide and of the docstrings", { timeout: 60_000 }, () => {
  mkdirSync(`${ROOT}.state`, { recursive: true });
  // Below the checkout, where the SDK's types are found.
  const folder = mkdtempSync(`${ROOT}.state/guide-`);
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const compilerOptions = {
    // The package, as packed from this checkout.
    paths: { gatehouse: [`${ROOT}components/library.ts`] },
    // Beside components/, like the guide.
    rootDirs: [`${ROOT}.state`, ROOT],
    // A docstring's example does not use all that it shows.
    noUnusedLocals: false,
  };
  const config = { extends: `${ROOT}tsconfig.json`, compilerOptions, include: ["*.ts"] };
  writeFileSync(`${folder}/tsconfig.json`, JSON.stringify(config));
  for (const [app, text] of Object.entries(EXAMPLES)) writeFileSync(`${folder}/${app}.ts`, text);
  for (const [name, text] of Object.entries(PROGRAMS)) writeFileSync(`${folder}/docstring-${name}.ts`, text);
  // Files unchanged since the last run, which are nearly all, are not checked again.
  const args = [
    "--project",
    folder,
    "--singleThreaded",
    "--incremental",
    "--tsBuildInfoFile",
    `${ROOT}.state/guide.tsbuildinfo`,
  ];
  const { status, stdout } = spawnSync(`${ROOT}node_modules/.bin/tsc`, args, { encoding: "utf8" });
  expect(status, stdout).toBe(0);
});

test("there is one of each kind, and each fits on a screen", () => {
  expect(Object.keys(EXAMPLES)).toEqual(["grafana", "board", "invoices", "handbook", "exporter"]);
  for (const text of Object.values(EXAMPLES)) expect(text.split("\n").length).toBeLessThan(40);
});
