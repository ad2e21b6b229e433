// examples/automation with the engine under test/engine/with and a fake host: an inline program of the Automation API.
import { readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { host } from "../plan/host.ts";
import type { Sshd } from "../unit/sshd.ts";
import { Projects } from "./project.ts";

const EXAMPLE = resolve(import.meta.dirname, "../../examples/automation/platforms.ts");
let server: Sshd;
let projects: Projects;

beforeAll(async () => {
  server = await host();
  projects = new Projects("automation-test");
  projects.add("automation", { "platforms.ts": readFileSync(EXAMPLE, "utf8"), key: server.key });
  declare({});
});
afterAll(async () => {
  await server.close();
  projects.remove();
});

function declare(change: object): void {
  const { port, hostKey } = server;
  const north = { host: { address: "127.0.0.1", port, hostKey }, domain: "auth.example.org", ...change };
  writeFileSync(join(projects.folder, "automation/platforms.json"), JSON.stringify({ north }));
}

/** Runs the example; `asked` are the commands that changed the host. */
async function run(command: string, program = "platforms.ts") {
  const before = server.asked.length;
  const variables = { SSH_KEY_FILE: "key" };
  const result = await projects.run("automation", "node", [program, command, "north"], { variables });
  const asked = server.asked.slice(before).map(({ command }) => command);
  return { ...result, asked: asked.filter((one) => /^gatehouse (release|remove|leave)/.test(one)) };
}
async function must(command: string) {
  const result = await run(command);
  expect(`${result.status} ${result.status === 0 ? "" : result.text}`).toBe("0 ");
  return result;
}

test("a preview changes nothing, and counts what an update would create", async () => {
  const { text, asked } = await must("preview");
  expect(text).toMatch(/^preview: \{"create":\d\d\}$/m);
  expect(asked).toEqual([]);
  expect((await run("outputs")).text).toContain("north is not deployed yet");
});

test("an update deploys, and the next one has nothing to do", async () => {
  const { text, asked } = await must("up");
  expect(text).toMatch(/^up: succeeded \{"create":\d\d\}$/m);
  expect(asked.length).toBeGreaterThan(8);
  const again = await must("up");
  expect(again.text).toMatch(/^up: succeeded \{"same":\d\d\}$/m);
  expect(again.asked).toEqual([]);
});

test("the outputs are read with their types", async () => {
  expect((await must("outputs")).text).toMatch(/^https:\/\/auth\.example\.org \{ .* \} has an administrator$/m);
});

test("invalid arguments fail with the message of the component", async () => {
  declare({ domain: "not a domain" });
  const { status, text, asked } = await run("up");
  declare({});
  expect([status, asked]).toEqual([1, []]);
  expect(text).toContain("Gatehouse on 127.0.0.1 is invalid; nothing was changed:\n");
  expect(text).toContain("authentik.domain: ");
});

test("an option that gatehouse refuses is found, although the program itself started the CLI", async () => {
  const file = join(projects.folder, "automation/plan.json");
  const program = readFileSync(EXAMPLE, "utf8").replace("up(print)", `up({ ...print, plan: ${JSON.stringify(file)} })`);
  writeFileSync(join(projects.folder, "automation/planned.ts"), program);
  const plan = { manifest: { time: "2026-11-30T00:00:00Z", magic: "", version: "" }, config: {}, resourcePlans: {} };
  writeFileSync(file, JSON.stringify(plan));
  const { status, text, asked } = await run("up", "planned.ts");
  expect([status, asked]).toEqual([1, []]);
  expect(text).toContain("update plans (--save-plan, --plan) do not work with gatehouse");
});

test("a destroy removes the releases and the stack", async () => {
  const { asked } = await must("destroy");
  expect(asked).toContain("gatehouse leave platforms/north");
  expect(asked.filter((command) => command.startsWith("gatehouse remove")).length).toBeGreaterThan(8);
  expect((await must("preview")).text).toMatch(/^preview: \{"create":\d\d\}$/m);
});
