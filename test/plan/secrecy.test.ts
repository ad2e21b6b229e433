// No form of the plan contains a secret, whether or not the engine masks it.
import { createHash } from "node:crypto";
import type { EngineEvent } from "@pulumi/pulumi/automation/index.js";
import { beforeAll, describe, expect, test } from "vitest";
import { previewOf } from "../../plan/read/steps.ts";
import { html } from "../../plan/render/html.ts";
import { markdown } from "../../plan/render/markdown.ts";
import { terminal } from "../../plan/render/terminal.ts";
import { reportOf } from "../../plan/report/changes.ts";
import { runProgram, Secret, SSH_KEY } from "../components/program.ts";
import { FULL } from "./configurations.ts";

const SIGNATURE = "4dabf18193072939515e22adb298388d";
const ROTATED = { ...FULL, valkey: { ...FULL.valkey, rotation: 2 }, authentik: { ...FULL.authentik, rotation: 2 } };

/** Events of an engine that masks nothing; `open` also omits the secret marker. */
async function events(open: boolean): Promise<EngineEvent[]> {
  const [before, after] = [await runProgram({ config: FULL }), await runProgram({ config: ROTATED })];
  const shown = (value: unknown): unknown => {
    if (value instanceof Secret)
      return open ? shown(value.value) : { [SIGNATURE]: "1b47061264138c4ac30d75fd1eb44270", value: shown(value.value) };
    if (typeof value !== "object" || value === null) return value;
    return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, shown(inner)]));
  };
  const state = (inputs: Record<string, unknown>) => ({
    inputs: shown(inputs),
    outputs: { stdout: '{"generation": 3}' },
  });
  return after.resources.map(({ type, name, inputs }) => {
    const old = before.resources.find((resource) => resource.type === type && resource.name === name);
    const metadata = {
      op: "update",
      urn: `urn:pulumi:test::gatehouse::${type}::${name}`,
      type,
      diffs: ["stdin"],
      old: state(old?.inputs ?? {}),
      new: state(inputs),
    };
    return { sequence: 0, timestamp: 0, resourcePreEvent: { metadata } } as unknown as EngineEvent;
  });
}

const sha256 = (text: string, form: "hex" | "base64") => createHash("sha256").update(text).digest(form);
const PASSWORDS = [
  "authentik-secret-key",
  "valkey-gatehouse",
  "valkey-authentik",
  "valkey-grafana",
  "postgres-wiki",
].map((name) => `password-of-gatehouse-${name}`);
const FORBIDDEN = [
  "password-of-",
  "SCRAM-SHA-256$",
  "c2FsdC1vZi10aGUtdGVzdHM",
  SSH_KEY.split("\n")[1] as string,
  ...PASSWORDS.flatMap((password) => [
    sha256(password, "hex"),
    sha256(password, "base64"),
    Buffer.from(password).toString("base64"),
    Buffer.from(password).toString("hex"),
    encodeURIComponent(password),
  ]),
];

describe.each([
  ["marks secrets", false],
  ["does not even mark them", true],
])("of an engine that masks nothing and %s, no secret gets", (_, open) => {
  let given: string;
  let forms: Record<string, string>;

  beforeAll(async () => {
    const reported = await events(open);
    given = JSON.stringify(reported);
    const report = reportOf(previewOf("gatehouse", "test", reported));
    forms = {
      markdown: markdown(report),
      html: html(report),
      json: JSON.stringify(report),
      terminal: terminal(report),
    };
  });

  test.each(["markdown", "html", "json", "terminal"])("into the %s", (form) => {
    for (const forbidden of FORBIDDEN) expect(forms[form]).not.toContain(forbidden);
  });

  test("although each secret was there, and although other content is shown", () => {
    // Grafana's password is sent only as a hash, and the role's only as a verifier.
    const there = [...PASSWORDS.slice(0, 3), sha256("password-of-gatehouse-valkey-grafana", "hex"), "SCRAM-SHA-256$"];
    expect(there.filter((secret) => !given.includes(secret))).toEqual([]);
    for (const form of ["markdown", "html", "json"]) expect(forms[form]).toContain("authentik-secrets");
    expect(forms.terminal).toMatch(/valkey-grafana +changed, secret/);
  });
});
