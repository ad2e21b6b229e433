import { beforeAll, describe, expect, test } from "vitest";
import { type Run, runProgram, Secret, SMALL, UNKNOWN } from "./program.ts";

// The very first preview: no command has run yet, and all answers of the host are unknown.
let run: Run;

beforeAll(async () => {
  run = await runProgram({
    preview: true,
    config: {
      ...SMALL,
      authentik: { ...SMALL.authentik, version: "2025.8.4" },
      valkey: { databases: { authentik: 1, grafana: 2 } },
      postgres: { databases: { wiki: {} }, roles: { wiki: { auth: "scram" } } },
    },
  });
});

describe("in a first preview (H3)", () => {
  test("values that the host has not answered yet are placeholders in authentik's files", () => {
    const { stdin } = run.named("release-authentik").inputs;
    for (const line of [
      "User=<uid of authentik>",
      "Group=<gid of authentik>",
      "PodmanArgs=--group-add=<gid of postgres-clients>",
      "PodmanArgs=--group-add=<gid of valkey-clients>",
      "Volume=/var/lib/gatehouse/secrets/authentik-secrets/<generation of authentik-secrets>:/run/secrets/authentik:ro",
    ])
      expect(String(stdin).match(new RegExp(`^${line.replace(/[.+]/g, "\\$&")}$`, "gm"))).toHaveLength(2);
    expect(stdin).toContain('"/var/lib/gatehouse/secrets/valkey-authentik/<generation of valkey-authentik>"');
  });

  test("Valkey's release is readable too, with placeholders for the generations of its users' secrets", () => {
    const { stdin } = run.named("release-valkey").inputs;
    for (const user of ["gatehouse", "authentik", "grafana"])
      expect(stdin).toContain(`/var/lib/gatehouse/secrets/valkey-${user}/<generation of valkey-${user}>`);
    expect(stdin).toContain("unixsocketperm 770");
  });

  test("no manifest is unknown as a whole, except secret ones", () => {
    const releases = run.resources.filter(({ custom, name }) => custom && name.startsWith("release-"));
    const unknown = releases.filter(({ inputs }) => typeof inputs.stdin !== "string").map(({ name }) => name);
    expect(unknown).toEqual([
      "release-authentik-secrets",
      "release-postgres-passwords",
      "release-valkey-authentik",
      "release-valkey-gatehouse",
      "release-valkey-grafana",
    ]);
    for (const name of unknown) {
      const { stdin } = run.named(name).inputs;
      expect(stdin === UNKNOWN || stdin instanceof Secret, name).toBe(true);
    }
  });

  test("the text of every command is known: none contains a path or hash of the agent", () => {
    for (const { name, inputs } of run.resources)
      for (const text of [inputs.create, inputs.delete])
        expect([name, typeof text]).toEqual([name, text === undefined ? "undefined" : "string"]);
  });
});

test("during an update no document contains a placeholder", async () => {
  const { resources } = await runProgram({ config: SMALL });
  const documents = resources.map(({ inputs }) => inputs.stdin).filter((stdin) => typeof stdin === "string");
  expect(documents.length).toBeGreaterThan(10);
  for (const document of documents) expect(document).not.toMatch(/<(gid|uid|generation) of/);
});
