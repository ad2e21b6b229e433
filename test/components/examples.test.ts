// The docstrings of the exports: each says what it is for, and its example runs as it is.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { afterAll, expect, onTestFinished, test, vi } from "vitest";
import * as inspection from "../../components/connection/inspect.ts";
import { EXPORTS, isValue, PROGRAMS } from "../unit/exports.ts";
import { FACTS } from "./facts.ts";
import { HOST_KEY, type Run, record } from "./program.ts";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
mkdirSync(`${ROOT}.state`, { recursive: true });
// Below the checkout, where the packages are found.
const folder = mkdtempSync(`${ROOT}.state/examples-`);
afterAll(() => rmSync(folder, { recursive: true }));

test("every export has a docstring with its meaning, and so has each of its members, with its default", () => {
  const lacking = EXPORTS.flatMap(({ name, doc, members }) => [
    ...(/^\w.{10,}/.test(doc) ? [] : [name]),
    ...members.filter(({ doc }) => doc === "").map((member) => `${name}.${member.name}`),
    ...members
      .filter(({ doc, optional }) => optional && !doc.includes("@default"))
      .map((member) => `${name}.${member.name}: @default`),
  ]);
  expect(lacking).toEqual([]);
  expect(EXPORTS.filter(({ kind }) => kind === "class")).toHaveLength(14);
});

test("every value that is exported has an example", () => {
  const values = EXPORTS.filter(isValue).map(({ name }) => name);
  expect(Object.keys(PROGRAMS).sort()).toEqual([...values, "two hosts"].sort());
});

/** Runs a program that imports the package. */
function run(name: string): Promise<Run> {
  const path = `${folder}/${name}.ts`;
  const text = PROGRAMS[name]?.replace('"gatehouse"', JSON.stringify(`${ROOT}components/library.ts`)) ?? "";
  writeFileSync(path, text);
  vi.stubEnv("GATEHOUSE_DRIFT", "off");
  onTestFinished(() => void vi.unstubAllEnvs());
  vi.spyOn(inspection, "inspect").mockResolvedValue(undefined);
  const one = (number: number) => ({
    address: `192.0.2.${number}`,
    hostKey: HOST_KEY,
    domain: `${number}.example.org`,
  });
  const config = { hostKey: HOST_KEY, registryPassword: "p", hosts: { north: one(1), south: one(2) } };
  const stacks = { "organization/gatehouse/prod": { platform: FACTS } };
  return record({ config, stacks }, () => import(/* @vite-ignore */ path));
}

test.each(EXPORTS.filter(isValue).map(({ name, kind }) => [name, kind]))(
  "the example of %s runs",
  async (name, kind) => {
    const { resources } = await run(name);
    if (kind === "class" && name !== "Platform")
      expect(resources.map(({ type }) => type)).toContain(`gatehouse:index:${name}`);
  },
);

test("the program with two hosts declares two platforms, each with the same app", async () => {
  const { resources } = await run("two hosts");
  const urns = resources.map(({ urn }) => urn);
  expect(new Set(urns).size).toBe(urns.length);
  for (const name of ["north", "south"])
    expect(urns.map((urn) => urn.split("::").at(-1))).toEqual(
      expect.arrayContaining([name, `${name}-postgres-release`, `${name}-wiki-app-release`]),
    );
});
