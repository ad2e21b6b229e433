// Parses the engine's events, as written by Pulumi 3.276.
import type { EngineEvent } from "@pulumi/pulumi/automation/index.js";
import { expect, test } from "vitest";
import { previewOf } from "../../plan/read/steps.ts";

const UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9";
const BLINDED = { "4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270", ciphertext: "[secret]" };
const COMMAND = "command:remote:Command";

const pre = (metadata: object) =>
  ({ sequence: 0, timestamp: 0, resourcePreEvent: { metadata } }) as unknown as EngineEvent;
const command = (op: string, name: string, more: object = {}) =>
  pre({ op, type: COMMAND, urn: `urn:pulumi:test::gatehouse::gatehouse:index:Release$${COMMAND}::${name}`, ...more });
const diagnostic = (severity: string, message: string, urn?: string) =>
  ({
    sequence: 0,
    timestamp: 0,
    diagnosticEvent: { severity, message, urn, color: "never" },
  }) as unknown as EngineEvent;
const read = (...events: EngineEvent[]) => previewOf("gatehouse", "test", events);

test("a command's old and new state, and the host's answer", () => {
  const inputs = { create: "gatehouse release caddy --due m/0", stdin: "old", logging: "stderr" };
  const { steps, touched } = read(
    command("update", "release-caddy", {
      diffs: ["stdin"],
      old: { inputs, outputs: { ...inputs, stdout: '{"generation": 4}' } },
      new: { inputs: { ...inputs, stdin: "new" }, outputs: {} },
    }),
  );
  expect(touched).toBe(1);
  expect(steps).toEqual([
    {
      op: "update",
      name: "release-caddy",
      differs: ["stdin"],
      old: { create: inputs.create, document: "old", answer: { generation: 4 } },
      new: { create: inputs.create, document: "new" },
    },
  ]);
});

test("a replaced command is deleted, with its data if configured, and created again", () => {
  const inputs = { create: "gatehouse release wiki --due m/0", delete: "gatehouse remove wiki --owner a/b/c --purge" };
  const states = { old: { inputs, outputs: inputs }, new: { inputs, outputs: {} } };
  const { steps } = read(
    ...["delete-replaced", "replace", "create-replacement"].map((op) => command(op, "release-wiki", states)),
  );
  const state = { create: inputs.create, purge: true };
  expect(steps).toEqual([
    { op: "delete", name: "release-wiki", differs: [], old: state },
    { op: "create", name: "release-wiki", differs: [], new: state },
  ]);
});

test("a changed input is reported by its top-level name, for both formats of a provider", () => {
  const detailedDiff = { "connection.privateKey": {}, stdin: {}, 'environment["a.b"]': {} };
  expect(read(command("update", "release-x", { diffs: ["stdin", "create"], detailedDiff })).steps[0]?.differs).toEqual([
    "stdin",
    "create",
    "connection",
    "environment",
  ]);
});

test("a secret is recognized, even while its content is unknown, and nothing of it is kept", () => {
  const old = { inputs: { create: "c", stdin: BLINDED, logging: "none" }, outputs: { stdout: BLINDED } };
  const { steps } = read(
    command("update", "release-x", { old, new: { inputs: { create: "c", stdin: UNKNOWN, logging: "none" } } }),
  );
  expect(steps[0]).toMatchObject({ old: { create: "c", secret: true }, new: { create: "c", secret: true } });
  expect(JSON.stringify(steps)).not.toContain("[secret]");
});

test("the generation of a secret release is read from the component, where it is not secret, by its name on the host", () => {
  const type = "gatehouse:index:Release";
  const urn = `urn:pulumi:test::gatehouse::${type}::prod-valkey-gatehouse`;
  const old = { inputs: { create: "gatehouse release valkey-gatehouse --due m/0" }, outputs: {}, parent: urn };
  const { generations } = read(
    pre({ op: "same", type, urn, old: { outputs: { generation: 7 } } }),
    command("same", "prod-valkey-gatehouse-release", { old, new: old }),
  );
  expect(generations).toEqual({ "valkey-gatehouse": 7 });
});

test("a step has the item's name on the host, also if only the command that removes it is known", () => {
  const inputs = { create: UNKNOWN, delete: "gatehouse remove caddy --owner a/b/caddy" };
  const named = (...args: Parameters<typeof command>) => read(command(...args)).steps.map(({ name }) => name);
  expect(named("create", "prod-caddy-release", { new: { inputs } })).toEqual(["release-caddy"]);
  const group = { inputs: { create: "gatehouse group valkey-clients --due never-asked" } };
  expect(named("same", "prod-valkey-clients-group", { old: group, new: group })).toEqual(["group-valkey-clients"]);
  const urn = `urn:pulumi:test::gatehouse::gatehouse:index:Gatehouse$gatehouse:index:Host$${COMMAND}::prod-host-agent`;
  expect(named("create", "", { urn, new: { inputs: { create: "sh -s -- never-asked" } } })).toEqual(["host-agent"]);
});

test("a warning is kept; other messages are not", () => {
  const urn = `urn:pulumi:test::gatehouse::gatehouse:index:Release$${COMMAND}::release-caddy`;
  expect(
    read(
      diagnostic("warning", "one\n", urn),
      diagnostic("warning", "two\n"),
      diagnostic("debug", "three"),
      diagnostic("info", "four"),
    ).warnings,
  ).toEqual(["one", "two"]);
});

test("a deletion has no new state, and one that only removes it from the state is recognized", () => {
  const old = { inputs: { create: "c", stdin: "d" }, outputs: {}, retainOnDelete: true };
  expect(read(command("delete", "release-x", { old, new: old })).steps).toEqual([
    { op: "delete", name: "release-x", differs: [], old: { create: "c", document: "d", retained: true } },
  ]);
});

test("an invalid answer is ignored", () => {
  for (const stdout of ["", "not JSON", "null", '"text"', UNKNOWN])
    expect(read(command("same", "x", { old: { inputs: { create: "c" }, outputs: { stdout } } })).steps[0]?.old).toEqual(
      { create: "c" },
    );
});
