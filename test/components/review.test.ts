import { describe, expect, test } from "vitest";
import { reviewFiles, reviewText } from "../../components/host/review.ts";
import type { Facts } from "../../protocol/facts.ts";
import type { File } from "../../protocol/manifest.ts";
import { difference } from "../plan/program.ts";
import { type Recorded, runProgram, Secret, SMALL } from "./program.ts";

// What `pulumi preview --diff` can show of an item; test/engine/preview.test.ts has what it shows.

const file = (path: string, content: string, more: Partial<File> = {}): File => ({
  path,
  mode: "0644",
  owner: "root:root",
  content,
  ...more,
});

describe("the text of a release", () => {
  test("has each file's attributes, then its lines with its name, then the rest", () => {
    const files = [
      file("/etc/caddy/Caddyfile", "{\n\n}\n", { reloads: ["caddy.service"], restarts: [] }),
      file("/etc/caddy/sites/a.caddy", "a.example.org", { mode: "0600" }),
    ];
    expect(reviewText({ files }, () => 'deadline = 5\n\n[[unit]]\nname = "caddy.service"\n').split("\n")).toEqual([
      "/etc/caddy/Caddyfile 0644 root:root, reloads caddy.service",
      "Caddyfile: {",
      "Caddyfile: ",
      "Caddyfile: }",
      "/etc/caddy/sites/a.caddy 0600 root:root",
      "a.caddy: a.example.org",
      "deadline = 5",
      "",
      "[[unit]]",
      'name = "caddy.service"',
      "",
    ]);
  });

  test("has paths instead of names where two files have the same name", () => {
    const files = [file("/etc/a/gatehouse.conf", "one"), file("/etc/b/gatehouse.conf", "two"), file("/etc/c", "three")];
    const lines = reviewText({ files }, () => "").split("\n");
    expect(lines).toContain("/etc/a/gatehouse.conf: one");
    expect(lines).toContain("/etc/b/gatehouse.conf: two");
    expect(lines).toContain("c: three");
  });

  test.each([
    ["ASCII", "x".repeat(400)],
    ["others", "é€🔒".repeat(60)],
  ])("has no line that Pulumi would cut, and loses nothing: %s", (_, long) => {
    const files = [file(`/etc/${"deep/".repeat(30)}a.conf`, `short\n${long}\n`)];
    const lines = reviewText({ files }, () => `exec = ["${long}"]\n`).split("\n");
    expect(lines.filter((line) => Buffer.byteLength(line) > 150)).toEqual([]);
    const joined = lines.join("\n").replaceAll("\na.conf: ... ", "").replaceAll("\n... ", "");
    expect(joined).toContain(`\na.conf: short\na.conf: ${long}\n`);
    expect(joined).toContain(`\nexec = ["${long}"]\n`);
    const numbered = Object.values((Object.values(reviewFiles({ files }))[0] as { content: object }).content);
    expect(numbered.join("\n").replaceAll("\n... ", "")).toBe(`short\n${long}`);
  });
});

test("the lines of a new file are numbered, in the order in which Pulumi sorts them", () => {
  const content = `${Array.from({ length: 12 }, (_, index) => `line ${index + 1}`).join("\n")}\n`;
  const files = reviewFiles({ files: [file("/etc/a.conf", content, { reloads: ["a.service"] })] });
  expect(files).toEqual({
    "/etc/a.conf": { mode: "0644", owner: "root:root", reloads: ["a.service"], content: expect.anything() },
  });
  const lines = (files["/etc/a.conf"] as { content: Record<string, string> }).content;
  expect(
    Object.keys(lines)
      .sort()
      .map((key) => lines[key]),
  ).toEqual(content.trimEnd().split("\n"));
});

describe("an item's document is a component beside its command", () => {
  const DOCUMENT = "gatehouse:index:Document";
  const ran = async (preview: boolean) => (await runProgram({ config: SMALL, preview })).resources;
  const itemsOf = (resources: Recorded[]) =>
    resources.filter(({ inputs }) => String(inputs.create).startsWith("gatehouse "));
  const parentsOf = (resources: Recorded[]) => resources.map(({ parentUrn }) => parentUrn).sort();

  test("except that of a secret release", async () => {
    const resources = await ran(false);
    const items = itemsOf(resources);
    const open = items.filter(({ inputs }) => !(inputs.stdin instanceof Secret));
    expect(items.length - open.length).toBeGreaterThan(1);
    const documents = resources.filter(({ type }) => type === DOCUMENT);
    expect(parentsOf(documents)).toEqual(parentsOf(open));
  });

  test("with the files of a release in a preview only, so that no state contains them", async () => {
    const filesOf = (resources: Recorded[]) =>
      Object.fromEntries(
        resources.filter(({ type }) => type === DOCUMENT).map(({ name, inputs }) => [name, inputs.files]),
      );
    const shown = filesOf(await ran(true));
    expect(shown["gatehouse-caddy-release"]).toHaveProperty(["/etc/caddy/Caddyfile"]);
    expect(shown["gatehouse-caddy-packages"]).toEqual({});
    const kept = filesOf(await ran(false));
    expect(Object.keys(kept)).toEqual(Object.keys(shown));
    for (const files of Object.values(kept)) expect(files).toEqual({});
  });

  test("which is registered after the command, and a preview has its text before the command has run", async () => {
    const isAfter = (resources: Recorded[], { parentUrn, dependsOn }: Recorded) =>
      dependsOn.includes(itemsOf(resources).find((item) => item.parentUrn === parentUrn)?.name ?? "");
    for (const preview of [false, true]) {
      const resources = await ran(preview);
      const documents = resources.filter(({ type }) => type === DOCUMENT);
      expect(documents.filter((document) => !isAfter(resources, document))).toEqual([]);
      expect(new Set(documents.map(({ inputs }) => typeof inputs.document))).toEqual(new Set(["string"]));
    }
  });
});

describe("of a command a preview does not show", () => {
  const MACHINE = "0123456789ab";
  const hiddenOf = async (facts?: Facts) => {
    const { resources } = await runProgram({ config: SMALL, ...(facts && { facts }) });
    return Object.fromEntries(
      resources.filter(({ custom }) => custom).map(({ name, options }) => [name, options.hideDiffs]),
    );
  };
  const settled = { due: `${MACHINE}/1`, differences: [] };

  test("its document, which the component shows, and its due number", async () => {
    const facts = { protocol: 1, machine: MACHINE, warnings: [], items: { "release-caddy": settled } };
    for (const hidden of [await hiddenOf(), await hiddenOf(facts)])
      expect(hidden["release-caddy"]).toEqual(["stdin", "create"]);
  });

  test("the due number, except after drift and on a host that does not know the item", async () => {
    const drifted = { ...settled, differences: [difference("unit", "caddy.service", "inactive", "is not active")] };
    const hidden = await hiddenOf({ protocol: 1, machine: MACHINE, warnings: [], items: { "release-caddy": drifted } });
    expect(hidden["release-caddy"]).toEqual(["stdin"]);
    expect(hidden["release-authentik"]).toEqual(["stdin"]);
  });

  test("anything of a secret document but the due number: Pulumi masks it", async () => {
    expect((await hiddenOf())["release-authentik-secrets"]).toEqual(["create"]);
  });
});
