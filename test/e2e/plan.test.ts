// What a plan says is what then happens: the units it names restart or reload, for the reason it gives, and no others.
// What is changed by hand on the host is in drift.test.ts.
import { afterAll, beforeAll, expect, inject, test } from "vitest";
import { newKey } from "../unit/sshd.ts";
import { Lab } from "./support/lab.ts";
import { type Settings, Stack } from "./support/stack.ts";
import { announced, touched } from "./support/touched.ts";

let lab: Lab;
let stack: Stack;

beforeAll(async () => {
  lab = await Lab.at(inject("host"));
  stack = new Stack(lab);
  expect((await stack.up()).status).toBe(0);
});
afterAll(async () => {
  expect((await new Stack(lab).up()).status).toBe(0);
});

const site = (directives: string) => ({ domain: "plan.lab.internal", backend: "127.0.0.1:9000", directives });

/** In this order: each starts from what the one before left. */
const CHANGES: [what: string, make: (settings: Settings) => unknown][] = [
  ["a new site", ({ caddy }) => (caddy.sites = { plan: site("header X-Line one") })],
  ["one changed line of a site", ({ caddy }) => (caddy.sites.plan = site("header X-Line two"))],
  ["a removed site", ({ caddy }) => delete caddy.sites],
  ["a setting of PostgreSQL that restarts it", (all) => (all.postgres = { settings: { max_connections: 130 } })],
  ["a setting of PostgreSQL that reloads it", ({ postgres }) => (postgres.settings.work_mem = "6MB")],
  [
    "a database with a role that has a password",
    ({ postgres }) => Object.assign(postgres, { databases: { plan: {} }, roles: { plan: { auth: "scram" } } }),
  ],
  ["a database that is no longer managed", ({ postgres }) => Object.assign(postgres, { databases: {}, roles: {} })],
  ["a setting of Valkey", (all) => (all.valkey = { settings: { maxmemory: "48mb" } })],
  ["applications of Valkey", ({ valkey }) => (valkey.databases = { plan: 1, other: 2 })],
  ["rotated passwords of Valkey", ({ valkey }) => (valkey.rotation = 2)],
  ["a removed application of Valkey", ({ valkey }) => delete valkey.databases.other],
  ["a setting of authentik", ({ authentik }) => (authentik.environment = { AUTHENTIK_LOG_LEVEL: "debug" })],
  ["a rotated key of authentik", ({ authentik }) => (authentik.rotation = 2)],
  ["another image", ({ authentik }) => (authentik.version = "2026.8.4")],
  ["authentik without Valkey", ({ authentik }) => (authentik.valkey = false)],
  ["a mail address for Caddy", ({ caddy }) => (caddy.email = "operator@lab.internal")],
  [
    "several at once",
    (all) => {
      all.postgres.settings = { work_mem: "7MB" };
      all.valkey.settings = { maxmemory: "40mb" };
      all.caddy.sites = { plan: site("header X-Line one") };
    },
  ],
];

test.each(CHANGES)("%s: the plan lists the affected units, each with a reason", async (_, make) => {
  make(stack.settings);
  const { status, report } = await stack.plan();
  expect(status).toBe(2);
  const named = report.units.filter(({ verb }) => verb !== "none");
  for (const { unit, reasons } of named) expect(reasons, unit).not.toEqual([]);
  const { result, units } = await touched(lab, () => stack.up());
  expect(result.status, result.text).toBe(0);
  expect(units).toEqual(announced(report));
});

test("a new SSH key: everything is resent, and nothing is affected", async () => {
  const key = newKey();
  await lab.sh(`printf '%s\\n' '${key.public}' >>/root/.ssh/authorized_keys`);
  await stack.setKey(key.private);
  const { report, text } = await stack.plan();
  expect(text).toContain("0 files, 0 reloads, 0 restarts, no data touched");
  expect(report.units.filter(({ verb }) => verb !== "none")).toEqual([]);
  const { result, units } = await touched(lab, () => stack.up());
  expect(result.status, result.text).toBe(0);
  expect(result.counts.updated).toBeGreaterThan(10);
  expect(units).toEqual({});
  await stack.setKey(lab.key);
});

test("nothing to do exits with 0", async () => {
  expect((await stack.up()).status).toBe(0);
  const { status, text } = await stack.plan();
  expect(status).toBe(0);
  expect(text).toContain(": nothing to do");
});
