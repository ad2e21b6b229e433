import { createHash } from "node:crypto";
import { describe, expect, test } from "vitest";
import type { Facts } from "../../protocol/facts.ts";
import { difference } from "../plan/program.ts";
import { runProgram, SMALL } from "./program.ts";

const MACHINE = "0123456789ab";
const settled = (items: Facts["items"]): Facts => ({ protocol: 1, machine: MACHINE, warnings: [], items });

const creates = ({ resources }: { resources: { name: string; type: string; inputs: Record<string, unknown> }[] }) =>
  Object.fromEntries(
    resources.filter(({ type }) => type === "command:remote:Command").map(({ name, inputs }) => [name, inputs.create]),
  );

describe("with facts of the host", () => {
  test("each command has the due number that the host answered for its item, of every kind (H6)", async () => {
    const due = (repairs: number) => ({ due: `${MACHINE}/${repairs}`, differences: [] });
    const facts = settled({
      "group-postgres-clients": due(1),
      "account-authentik": due(2),
      "packages-caddy": due(3),
      "release-authentik": due(4),
    });
    expect(creates(await runProgram({ config: SMALL, facts }))).toMatchObject({
      "group-postgres-clients": `gatehouse group postgres-clients --due ${MACHINE}/1`,
      "account-authentik": `gatehouse account authentik --due ${MACHINE}/2`,
      "packages-caddy": `gatehouse packages caddy --due ${MACHINE}/3`,
      "release-authentik": `gatehouse release authentik --due ${MACHINE}/4`,
    });
  });

  test("an item that is not on the host yet is due for the first time, including the agent (H6)", async () => {
    const texts = creates(await runProgram({ config: SMALL, facts: { ...settled({}), machine: "ffff" } }));
    expect(texts["host-agent"]).toBe("sh -s -- ffff");
    expect(texts["release-caddy"]).toMatch(/^gatehouse release caddy --due ffff\/0\.\d{10}$/);
    // With another machine name, every command text differs.
    const before = creates(await runProgram({ config: SMALL, facts: settled({}) }));
    for (const [name, text] of Object.entries(texts)) expect(text).not.toBe(before[name]);
  });

  test("a document that is not the last one on the host is due, whatever the state contains (an older snapshot was restored)", async () => {
    const run = (document: string) =>
      runProgram({
        config: SMALL,
        facts: settled({ "packages-caddy": { due: `${MACHINE}/3`, differences: [], document } }),
      });
    const { resources } = await run("0".repeat(64));
    expect(creates({ resources })["packages-caddy"]).toMatch(
      /^gatehouse packages caddy --due 0123456789ab\/3\.\d{10}$/,
    );
    const given = String(resources.find(({ name }) => name === "packages-caddy")?.inputs.stdin);
    const same = await run(createHash("sha256").update(given).digest("hex"));
    expect(creates(same)["packages-caddy"]).toBe(`gatehouse packages caddy --due ${MACHINE}/3`);
  });

  test("a changed number is an update: nothing ignores it", async () => {
    const { resources } = await runProgram({ config: SMALL, facts: settled({}) });
    const commands = resources.filter(({ type }) => type === "command:remote:Command");
    expect(commands.length).toBeGreaterThan(10);
    for (const { name, options } of commands) expect([name, options.ignoreChanges]).toEqual([name, []]);
  });

  test("each difference is a warning on the command that repairs it", async () => {
    const facts = settled({
      "release-caddy": {
        due: `${MACHINE}/1`,
        differences: [
          difference("file", "/etc/caddy/Caddyfile", "missing", "/etc/caddy/Caddyfile is missing"),
          difference("unit", "caddy.service", "inactive", "caddy.service is not active"),
        ],
      },
      "group-valkey-clients": {
        due: `${MACHINE}/1`,
        differences: [
          difference("group", "valkey-clients", "missing", "group valkey-clients is missing; it had gid=986"),
        ],
      },
      "release-postgres": { due: `${MACHINE}/0`, differences: [] },
    });
    const { warnings } = await runProgram({ config: SMALL, facts, preview: true });
    expect(warnings).toEqual([
      {
        resource: "gatehouse-valkey-clients-group",
        message: "drift: group valkey-clients is missing; it had gid=986",
      },
      { resource: "gatehouse-caddy-release", message: "drift: /etc/caddy/Caddyfile is missing" },
      { resource: "gatehouse-caddy-release", message: "drift: caddy.service is not active" },
    ]);
  });

  test("a host without differences causes no warning", async () => {
    const facts = settled({ "release-caddy": { due: `${MACHINE}/7`, differences: [] } });
    expect((await runProgram({ config: SMALL, facts })).warnings).toEqual([]);
  });
});

describe("without facts", () => {
  test("each command states that the host was not inspected, and a number in the state is kept", async () => {
    const run = await runProgram({ config: SMALL });
    const commands = run.resources.filter(({ type }) => type === "command:remote:Command");
    expect(commands).toHaveLength(17);
    for (const { name, inputs, options } of commands) {
      expect(options.ignoreChanges, name).toEqual(["create"]);
      expect(inputs.create, name).toMatch(name === "host-agent" ? /^sh -s -- never-asked$/ : / --due never-asked$/);
    }
  });
});
