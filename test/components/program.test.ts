import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { parse } from "smol-toml";
import { expect, test } from "vitest";
import { CASES } from "../render/cases.ts";
import { type Recorded, runProgram, Secret } from "./program.ts";

// The whole program, resource by resource, so that a review shows the effect of each change. File contents are in
// test/render/golden; secrets are not shown, nor is the agent's source, which changes often.

const GOLDEN = fileURLToPath(new URL("program.golden", import.meta.url));
const HOW = "if that is meant: UPDATE_GOLDEN=1 npx vitest run --project check test/components/program.test.ts";

function shown({ type, urn, parent, inputs, dependsOn, options }: Recorded): object {
  const chosen = Object.entries(options).filter(([, value]) => value && (!Array.isArray(value) || value.length > 0));
  return {
    type,
    name: urn.slice(urn.lastIndexOf("::") + 2),
    parent,
    dependsOn: dependsOn.length > 0 ? dependsOn : undefined,
    ...Object.fromEntries(chosen),
    ...(Object.keys(inputs).length > 0 && { inputs: open(inputs) }),
  };
}

function open(value: unknown, key = ""): unknown {
  if (value instanceof Secret) return "[secret]";
  if (key === "stdin" && typeof value === "string")
    return value.endsWith(" bytes\n") ? open(parse(value)) : "[the agent]";
  if ((key === "content" || key === "document") && typeof value === "string")
    return `[${value.split("\n").length - 1} lines]`;
  if (Array.isArray(value)) return value.map((item) => open(item));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, open(inner, name)]));
}

/** A value as indented lines; scalars and lists of scalars take one line. */
function lines(value: unknown): string[] {
  const isTable = (inner: unknown): inner is object => typeof inner === "object" && inner !== null;
  if (Array.isArray(value) && value.some(isTable))
    return value.flatMap((item) => lines(item).map((line, at) => `${at === 0 ? "- " : "  "}${line}`));
  if (!isTable(value) || Array.isArray(value)) return [JSON.stringify(value).replaceAll('","', '", "')];
  return Object.entries(value)
    .filter(([, inner]) => inner !== undefined)
    .flatMap(([key, inner]) => {
      const below = lines(inner);
      const deep = isTable(inner) && (!Array.isArray(inner) || inner.some(isTable));
      return deep ? [`${key}:`, ...below.map((line) => `  ${line}`)] : [`${key}: ${below[0]}`];
    });
}

test(`the program declares the resources in program.golden; ${HOW}`, async () => {
  const { resources } = await runProgram({ config: CASES.full as Record<string, unknown> });
  const dump = resources.map((resource) => `${lines(shown(resource)).join("\n")}\n`).join("\n");
  expect(dump).not.toMatch(/password-of-|PRIVATE KEY/);
  if (process.env.UPDATE_GOLDEN === "1") writeFileSync(GOLDEN, dump);
  expect(dump.split("\n")).toEqual(readFileSync(GOLDEN, "utf8").split("\n"));
});
