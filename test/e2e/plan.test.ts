// An `up` does what its plan says: the named units restart or reload, for the given reason, and no others. Other
// changes of the configuration are in changes.test.ts, manual changes on the host in drift.test.ts.
import { afterAll, beforeAll, expect, inject, test } from "vitest";
import { newKey } from "../unit/sshd.ts";
import { Lab } from "./support/lab.ts";
import { type Settings, Stack } from "./support/stack.ts";
import { planned, touched } from "./support/touched.ts";

let lab: Lab;
let stack: Stack;

beforeAll(async () => {
  lab = await Lab.at(inject("host"));
  stack = new Stack(lab, {
    postgres: { databases: { plan: {} }, roles: { plan: { auth: "scram" } } },
    valkey: { databases: { plan: 1, other: 2 } },
  });
  expect((await stack.up()).status).toBe(0);
});
afterAll(async () => {
  expect((await new Stack(lab).up()).status).toBe(0);
});

/** Changes that are not in changes.test.ts. In this order: each starts from the state after the previous one. */
const CHANGES: [what: string, make: (settings: Settings) => unknown][] = [
  ["a database that is no longer managed", ({ postgres }) => Object.assign(postgres, { databases: {}, roles: {} })],
  ["rotated passwords of Valkey", ({ valkey }) => (valkey.rotation = 2)],
  ["a removed application of Valkey", ({ valkey }) => delete valkey.databases.other],
  ["a rotated key of authentik", ({ authentik }) => (authentik.rotation = 2)],
  ["authentik without Valkey", ({ authentik }) => (authentik.valkey = false)],
  ["a mail address for Caddy", ({ caddy }) => (caddy.email = "operator@lab.internal")],
  [
    "several at once",
    (all) => {
      all.postgres.settings = { work_mem: "7MB" };
      all.valkey.settings = { maxmemory: "40mb" };
      all.caddy.sites = {
        plan: { domain: "plan.lab.internal", backend: "127.0.0.1:9000", directives: "header X-Line one" },
      };
    },
  ],
];

test.each(CHANGES)("%s: the plan lists the affected units, each with a reason", async (_, make) => {
  make(stack.settings);
  const units = await planned(stack);
  const { result, units: found } = await touched(lab, () => stack.up());
  expect(result.status, result.text).toBe(0);
  expect(found).toEqual(units);
});

test("a new SSH key: everything is resent, and nothing is affected", async () => {
  const key = newKey();
  await lab.sh(`printf '%s\\n' '${key.public}' >>/root/.ssh/authorized_keys`);
  await stack.setKey(key.private);
  const { report, text } = await stack.plan();
  expect(text).toContain("0 files, 0 reloads, 0 restarts, no data touched");
  const preview = await stack.preview("--diff");
  expect(preview.text, "only numbers of the host become placeholders").toContain("<generation of valkey-gatehouse>");
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
