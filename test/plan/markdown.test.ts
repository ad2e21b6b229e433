import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { beforeAll, describe, expect, test } from "vitest";
import { html } from "../../plan/render/html.ts";
import { fenced, markdown, marker } from "../../plan/render/markdown.ts";
import { terminal } from "../../plan/render/terminal.ts";
import { reportOf } from "../../plan/report/changes.ts";
import type { Report } from "../../plan/report/report.ts";
import type { Facts } from "../../protocol/facts.ts";
import { SMALL } from "../components/program.ts";
import { FULL } from "./configurations.ts";
import { type Change, factsOf, previewOfChange } from "./program.ts";

const GOLDEN = fileURLToPath(new URL("golden/", import.meta.url));
const HOW = "if that is meant: UPDATE_GOLDEN=1 npx vitest run --project check test/plan";

const GOLDENS: Record<string, Change> = {
  // Shown in the README; `make demo-plan` makes the same change.
  "a-setting": { from: SMALL, to: { ...SMALL, postgres: { settings: { work_mem: "16MB" } } } },
  "a-setting-and-a-database": {
    from: FULL,
    to: {
      ...FULL,
      postgres: {
        settings: { work_mem: "8MB", max_connections: 150 },
        databases: { wiki: {}, notes: { clients: ["wiki"] } },
        roles: { wiki: { auth: "scram" } },
      },
    },
  },
  "another-image": { from: FULL, to: { ...FULL, authentik: { ...FULL.authentik, version: "2025.8.5" } } },
  "an-application-leaves-and-a-password-rotates": {
    from: FULL,
    to: { ...FULL, valkey: { databases: { authentik: 1 }, rotation: 2 }, caddy: { tls: "internal" } },
  },
};

test.each(Object.entries(GOLDENS))(`the plan of %s matches its golden file; ${HOW}`, async (name, change) => {
  const preview = await previewOfChange(change);
  const written = markdown(reportOf({ ...preview, facts: factsOf(preview) }));
  const file = `${GOLDEN}${name}.md`;
  if (process.env.UPDATE_GOLDEN === "1") {
    mkdirSync(GOLDEN, { recursive: true });
    writeFileSync(file, written);
  }
  expect(written.split("\n")).toEqual(readFileSync(file, "utf8").split("\n"));
});

test("the README shows the plan of its change as it is", () => {
  const readme = readFileSync(fileURLToPath(new URL("../../README.md", import.meta.url)), "utf8");
  const [, ...plan] = readFileSync(`${GOLDEN}a-setting.md`, "utf8").trim().split("\n");
  expect(readme).toContain(plan.join("\n").trim());
});

test("there is no golden file without a change", () => {
  expect(readdirSync(GOLDEN).sort()).toEqual(
    Object.keys(GOLDENS)
      .map((name) => `${name}.md`)
      .sort(),
  );
});

test("the marker is the first line, and differs between stacks", () => {
  const stacks = ["prod", "test"].map((stack) => marker({ project: "gatehouse", stack }));
  expect(new Set(stacks).size).toBe(2);
  for (const line of stacks) expect(line).toMatch(/^<!-- gatehouse plan [0-9a-f]{12} -->$/);
});

const CHANGED = { ...FULL, postgres: { ...FULL.postgres, settings: { work_mem: "16MB" } } };

/** The facts while caddy is applied. */
const busy = ({ items, ...facts }: Facts): Facts => {
  const { due = "" } = items["release-caddy"] ?? {};
  return { ...facts, items: { ...items, "release-caddy": { due, differences: [], busy: "apply of release caddy" } } };
};

describe("the first line of every format says", () => {
  test.each([
    ["that there is nothing to do", FULL, "inspected", "nothing to do"],
    ["what changes", CHANGED, "inspected", "1 file, 1 reload, 0 restarts, no data touched"],
    [
      "that the host cannot be reached",
      FULL,
      "unreachable",
      "the host cannot be reached, so its drift is unknown; no change in the configuration",
    ],
    [
      "that the host cannot be reached, before what changes",
      CHANGED,
      "unreachable",
      "the host cannot be reached, so its drift is unknown; 1 file, 1 reload, 0 restarts, no data touched",
    ],
    [
      "that the host was not to be inspected",
      FULL,
      "off",
      "the host was not inspected, so its drift is unknown; no change in the configuration",
    ],
    [
      "that an operation is in progress on the host",
      FULL,
      "busy",
      "an operation is in progress on the host, so its drift is unknown; no change in the configuration",
    ],
  ])("%s", async (_, to, inspection, line) => {
    const preview = await previewOfChange({ from: FULL, to });
    const report = reportOf({
      ...preview,
      ...(inspection === "inspected" && { facts: factsOf(preview) }),
      ...(inspection === "unreachable" && { unreachable: "timed out" }),
      ...(inspection === "busy" && { facts: busy(factsOf(preview)) }),
    });
    expect(markdown(report).split("\n")[2]).toBe(`### Plan for test: ${line}`);
    expect(terminal(report).split("\n")[0]).toBe(`test: ${line}`);
    expect(html(report)).toContain(`<title>Plan for test: ${line}</title>`);
    expect((JSON.parse(JSON.stringify(report)) as Report).summary).toBe(line);
    expect(report.notInspected).toBe(inspection === "inspected" ? undefined : inspection);
    if (inspection === "busy")
      expect(report.warnings).toEqual([
        "release caddy is not known yet: apply of release caddy is in progress on the host; plan again when it has finished",
      ]);
  });
});

describe("a fence", () => {
  test.each([
    ["plain\n", "```diff\nplain\n```"],
    ["without an end", "```diff\nwithout an end\n```"],
    ["+```\n+code\n+```\n", "````diff\n+```\n+code\n+```\n````"],
    ["a ````` b\n", "``````diff\na ````` b\n``````"],
  ])("is longer than any in its content", (content, written) => {
    expect(fenced(content)).toBe(written);
  });
});

describe("a plan with strange content", () => {
  const DIRECTIVES = 'header X-Note "```` <script>alert(1)</script> | *é中文🏠* ]"';
  let written: string;

  beforeAll(async () => {
    const sites = { strange: { domain: "strange.example.org", backend: "127.0.0.1:1", directives: DIRECTIVES } };
    written = markdown(
      reportOf(await previewOfChange({ from: FULL, to: { ...FULL, caddy: { tls: "internal", sites } } })),
    );
  });

  test("keeps it within a fence, unchanged", () => {
    expect(written).toMatch(/^`````diff\n@@ -0,0 \+1,\d+ @@\n/m);
    expect(written).toContain(`+\t\t\t${DIRECTIVES}\n`);
  });

  test("escapes it outside of a fence", () => {
    const report = { ...EMPTY, warnings: ["<img src=x> | `a` *b* [c](d)\nand on"] };
    expect(markdown(report)).toContain("- &lt;img src=x&gt; \\| \\`a\\` \\*b\\* \\[c\\](d) and on\n");
  });
});

describe("a plan in which the connection to the host changes", () => {
  const leaves = { ...FULL, valkey: { databases: { authentik: 1 } }, caddy: { tls: "internal" } };
  const warnings = async (change: Change) => reportOf(await previewOfChange(change)).warnings;

  test("warns of what is removed over the old connection", async () => {
    const [warning, ...others] = await warnings({ from: FULL, to: leaves, newKey: true });
    expect(others).toEqual([]);
    expect(warning).toMatch(
      /^the connection to the host changes, and .*site-.* would still be removed over the old one: keep the old key, user and address working/,
    );
  });

  test("does not warn if nothing is removed, or if only that changes", async () => {
    expect(await warnings({ from: FULL, to: FULL, newKey: true })).toEqual([]);
    expect(await warnings({ from: FULL, to: leaves })).toEqual([]);
  });
});

const EMPTY: Report = {
  schemaVersion: 2,
  project: "gatehouse",
  stack: "test",
  changes: true,
  summary: "nothing much",
  totals: { files: 0, restarts: 0, reloads: 0, starts: 0, stops: 0, destroyed: 0, databases: 0, repairs: 0 },
  data: [],
  units: [],
  releases: [],
  items: [],
  databases: [],
  warnings: [],
  doors: { boxes: [], lines: [] },
};

describe("a plan that is too long for a comment", () => {
  const LINK = "https://ci.example.org/runs/1";
  let report: Report;

  beforeAll(async () => {
    const strange = { domain: "s.example.org", backend: "127.0.0.1:1", directives: 'header X-Note "é中文🏠"' };
    const to = { ...FULL, caddy: { tls: "internal", sites: { ...FULL.caddy.sites, strange } } };
    const one = reportOf(await previewOfChange({ from: FULL, to }));
    const releases = Array.from({ length: 300 }, (_, index) =>
      one.releases.map((release) => ({ ...release, name: `${release.name}-${index}` })),
    );
    report = { ...one, releases: releases.flat() };
  });

  test("is shortened below 60 kB between two releases, and says where the whole plan is", () => {
    const written = markdown(report, { link: LINK });
    expect(Buffer.byteLength(written)).toBeLessThanOrEqual(60_000);
    expect(Buffer.byteLength(written)).toBeGreaterThan(55_000);
    expect(written).toMatch(
      /\n\d+ more parts are too long for a comment: see \[the whole plan\]\(https:\/\/ci\.example\.org\/runs\/1\)\.\n/,
    );
    expect(written.match(/<details>/g)).toHaveLength(written.match(/<\/details>/g)?.length as number);
    expect((written.match(/^`{3,}/gm)?.length as number) % 2).toBe(0);
    expect(written).not.toContain("\ufffd");
  });

  test("has no link if none is given, and stays whole if it fits", () => {
    expect(markdown(report)).toContain("see the whole plan, which is an artifact of this run.");
    expect(markdown(report, { limit: 1e6 })).not.toContain("too long");
  });

  test.each([600, 700, 900, 1500])("has at most %d bytes if that is the limit", (limit) => {
    const warnings = Array.from({ length: 100 }, (_, index) => `warning ${index} é中文🏠`);
    const written = markdown({ ...report, warnings }, { link: LINK, limit });
    expect(Buffer.byteLength(written)).toBeLessThanOrEqual(limit);
    expect(written).toContain(LINK);
    expect(written).not.toContain("\ufffd");
    expect(written.startsWith(marker(report))).toBe(true);
  });
});
