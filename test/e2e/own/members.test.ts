// The hosts of a cluster change: one that was alone becomes the first of three, and one is away for a while.
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { noticed } from "../support/counting.ts";
import { EXHAUSTIVE, Lab } from "../support/lab.ts";
import { Stack } from "../support/stack.ts";

const NAMES = ["a", "b", "c"];
const AWAY = 20;

describe.runIf(EXHAUSTIVE)("the hosts of a cluster change", () => {
  let labs: Lab[];
  let first: Lab;
  let stack: Stack;
  let before: string;

  beforeAll(async () => {
    labs = await Lab.segment("conv", NAMES, "2026.8.3");
    first = labs[0] as Lab;
    stack = await Stack.create(first);
    const { status, text } = await stack.up();
    expect(status, text).toBe(0);
    await sql("CREATE TABLE kept AS SELECT generate_series(1, 100000) n");
    before = await facts();
  });
  afterAll(async () => {
    await stack?.stop();
    stack?.remove();
    await Promise.all((labs ?? []).map((lab) => lab.destroy()));
  });

  const sql = (statement: string) =>
    first.sh(`runuser -u authentik -- psql -h /run/postgresql -d authentik -Atqc '${statement}'`);
  const facts = async () =>
    [
      await sql("SELECT count(*), sum(n) FROM kept"),
      await first.sh("cat /var/lib/gatehouse/secrets/authentik-secrets/*/secret_key | sha256sum"),
      String(await first.gid("postgres-clients")),
    ].join(" ");

  test("one becomes three by one `up`, without losing a row, the key of authentik or the number of a group", async () => {
    const { host: _, ...settings } = stack.settings;
    stack.settings = {
      ...settings,
      hosts: Object.fromEntries(
        NAMES.map((name, index) => {
          const { address, private: own, hostKey } = labs[index] as Lab;
          return [name, { address, private: own, hostKey }];
        }),
      ),
      authentik: { ...settings.authentik, environment: { AUTHENTIK_STORAGE__BACKEND: "s3" } },
    };
    const seen = await noticed(first, async () => {
      const { status, text } = await stack.up();
      expect(status, text).toBe(0);
    });
    expect(seen.lost).toEqual([]);
    expect(seen.longest).toBeLessThan(AWAY);
    expect(await facts()).toBe(before);
    await first.sh("/usr/local/libexec/gatehouse/cluster whole");
  });

  test("after that a second `up` has nothing to do", async () => {
    const { counts, text } = await stack.up();
    expect(Object.keys(counts), text).toEqual(["unchanged"]);
  });

  const CLUSTER = "/usr/local/libexec/gatehouse/cluster";

  test("while one is away on purpose, the others change without it, and it follows once it is back", async () => {
    const [, , third] = labs as [Lab, Lab, Lab];
    await third.vanish();
    expect((await stack.up()).status).not.toBe(0);
    stack.settings.hosts.c.down = true;
    stack.settings.postgres = { settings: { work_mem: "9MB" } };
    const { status, text } = await stack.up();
    expect(status, text).toBe(0);
    expect((await first.try(`${CLUSTER} whole`)).text).toContain("c: no member");
    await first.sh(`${CLUSTER} whole c`);
    await third.start();
    delete stack.settings.hosts.c.down;
    const back = await stack.up();
    expect(back.status, back.text).toBe(0);
    await first.awaits(`${CLUSTER} whole`);
    expect(await third.sh("runuser -u postgres -- psql -h /run/postgresql-node -Atc 'SHOW work_mem'")).toBe("9MB");
  });
});
