// Three hosts: what is true on them after an `up`, and what a client of the database notices when one of them is lost,
// hands over or changes. A client counts what was acknowledged, which must all be there afterwards.
import { setTimeout } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { noticed } from "../support/counting.ts";
import { Lab } from "../support/lab.ts";
import { Stack } from "../support/stack.ts";

const NAMES = ["a", "b", "c"];
const DOMAIN = "auth.lab.internal";
const CLUSTER = "/usr/local/libexec/gatehouse/cluster";
/** Seconds without a write that a silent loss of the primary may cost; measured are 20 to 26. */
const LOSS = 30;
const HANDOVER = 8;

let labs: Lab[];
let stack: Stack;

beforeAll(async () => {
  labs = await Lab.segment("trio", NAMES, "2026.8.3");
  stack = await Stack.create(labs[0] as Lab, {
    hosts: Object.fromEntries(
      NAMES.map((name, index) => {
        const { address, private: own, hostKey } = labs[index] as Lab;
        return [name, { address, private: own, hostKey }];
      }),
    ),
  });
  delete stack.settings.host;
  stack.settings.authentik.environment = { AUTHENTIK_STORAGE__BACKEND: "s3" };
});
afterAll(async () => {
  await stack?.stop();
  stack?.remove();
  await Promise.all((labs ?? []).map((lab) => lab.destroy()));
});

const at = (name: string): Lab => labs[NAMES.indexOf(name)] as Lab;
const others = (name: string): string[] => NAMES.filter((other) => other !== name);

async function leader(from: string): Promise<string> {
  const text = await at(from).sh("patronictl -c /etc/patroni/17-main.yml list -f json 2>/dev/null");
  const found = (JSON.parse(text) as { Member: string; Role: string }[]).find(({ Role }) => Role === "Leader");
  return found?.Member ?? "nobody";
}

const whole = (from: string) => at(from).awaits(`${CLUSTER} whole >/dev/null`);

test("three empty hosts have the whole platform after one `up`", async () => {
  const { status, text } = await stack.up();
  expect(status, text).toBe(0);
  await whole("a");
  expect(await leader("b")).toBe("a");
  for (const lab of labs) {
    expect(JSON.parse(await lab.sh("gatehouse status --json"))).toMatchObject({ healthy: true });
    expect(JSON.parse(await lab.sh("gatehouse verify --json"))).toMatchObject({ in_sync: true });
    expect(
      await lab.sh(
        `curl -sk --resolve ${DOMAIN}:443:127.0.0.1 https://${DOMAIN}/-/health/ready/ -o /dev/null -w '%{http_code}'`,
      ),
    ).toBe("200");
  }
});

test("each host has its own numbers, which its containers carry, and the folder of the socket is as on a single host", async () => {
  const { platform } = await stack.outputs();
  expect(platform.schemaVersion).toBe(2);
  for (const name of NAMES) {
    const lab = at(name);
    const gid = await lab.gid("postgres-clients");
    expect(platform.hosts[name].groups.postgres).toEqual({ name: "postgres-clients", gid });
    expect(await lab.sh("cat /etc/containers/systemd/authentik-server.container")).toContain(`--group-add=${gid}`);
    expect(await lab.stat("/run/postgresql")).toBe("3770 postgres:postgres-clients");
  }
});

test("a second `up` has nothing to do", async () => {
  const { counts, text } = await stack.up();
  expect(Object.keys(counts), text).toEqual(["unchanged"]);
});

describe("what is closed", () => {
  test("the key of a host is root's, and a group's that no account has", async () => {
    for (const lab of labs) {
      expect(await lab.stat("/etc/gatehouse/keys/host.key")).toBe("640 root:gatehouse-host");
      expect(await lab.sh("getent group gatehouse-host")).toMatch(/:$/);
    }
  });

  test.each([
    ["etcd", (to: string) => `curl -sk --max-time 5 https://${to}:2379/version`, "--cert KEYS.crt --key KEYS.key"],
    ["Patroni", (to: string) => `curl -sk --max-time 5 https://${to}:8008/cluster`, "--cert KEYS.crt --key KEYS.key"],
  ])("%s answers nobody without the certificate of a host", async (_, command, proof) => {
    const call = command(at("b").private);
    expect((await at("a").try(call)).status).not.toBe(0);
    expect((await at("a").try(`${call} ${proof.replaceAll("KEYS", "/etc/gatehouse/keys/host")}`)).status).toBe(0);
  });

  test("PostgreSQL admits nobody over the network without the certificate of a host", async () => {
    const login = (more: string) =>
      `psql "host=${at("a").private} user=postgres dbname=postgres sslmode=require ${more}" -Atc 'SELECT 1'`;
    expect((await at("b").try(login(""))).text).toMatch(/certificate/);
    const proof = "sslcert=/etc/gatehouse/keys/host.crt sslkey=/etc/gatehouse/keys/host.key";
    expect(await at("b").sh(login(proof))).toBe("1");
  });

  test("the socket admits an account as its own role only, and nobody outside the group", async () => {
    const login = (account: string, role: string) =>
      `runuser -u ${account} -- psql -h /run/postgresql -U ${role} -d authentik -Atc 'SELECT current_user'`;
    expect(await at("b").sh(login("authentik", "authentik"))).toBe("authentik");
    for (const [account, role] of [
      ["authentik", "postgres"],
      ["authentik", "gatehouse_replication"],
      ["nobody", "authentik"],
    ] as const)
      expect((await at("b").try(login(account, role))).status, `${account} as ${role}`).not.toBe(0);
  });
});

test("a change that restarts PostgreSQL changes one host after the other, and loses nothing", async () => {
  stack.settings.postgres = { settings: { shared_buffers: "160MB" } };
  const seen = await noticed(at("b"), async () => {
    const { status, text } = await stack.up();
    expect(status, text).toBe(0);
  });
  expect(seen.lost).toEqual([]);
  expect(seen.longest).toBeLessThan(HANDOVER);
  for (const lab of labs)
    expect(await lab.sh("runuser -u postgres -- psql -h /run/postgresql-node -Atc 'SHOW shared_buffers'")).toBe(
      "160MB",
    );
  await whole("a");
});

test("a planned hand-over loses nothing", async () => {
  const from = await leader("a");
  const [to] = others(from);
  const seen = await noticed(at(to as string), () =>
    at(from).sh(`patronictl -c /etc/patroni/17-main.yml switchover --leader ${from} --candidate ${to} --force 2>&1`),
  );
  expect(seen.lost).toEqual([]);
  expect(seen.longest).toBeLessThan(HANDOVER);
  expect(await leader("a")).toBe(to);
  await whole("a");
});

test("the primary's host loses its power without a word: another one writes, nothing is lost, and it comes back by itself", async () => {
  const lost = await leader("a");
  const [observer = ""] = others(lost);
  const seen = await noticed(at(observer), async () => {
    await at(lost).vanish();
    await setTimeout(1000);
  });
  expect(seen.lost).toEqual([]);
  expect(seen.longest).toBeLessThan(LOSS);
  expect(await leader(observer)).not.toBe(lost);
  await at(lost).start();
  await whole(observer);
  const { counts, text } = await stack.up();
  expect(Object.keys(counts), text).toEqual(["unchanged"]);
});
