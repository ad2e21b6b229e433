// An upgrade of gatehouse: a host that the last released version deployed (test/tools/released) is taken over by this one,
// with one `up` for each stack, which restarts nothing that its plan does not name. On a separate host.
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { BACKED_UP, Lab, PYTHON, run } from "../support/lab.ts";
import { Stack } from "../support/stack.ts";
import { announced, touched, UNITS } from "../support/touched.ts";

const REPOSITORY = fileURLToPath(new URL("../../../", import.meta.url));
const APPS = "test/e2e/own/apps";
const NOTES = "http://127.0.0.1:9000/notes";
const DATA = {
  "of authentik": `curl --silent --fail ${NOTES}`,
  "of PostgreSQL": "su postgres -c \"psql -XAt grafana -c 'SELECT * FROM kept'\"",
  "of Valkey": "sh /root/valkey get kept",
  "of an app": "cat /var/lib/apps/wiki/pages/index.html",
  "the cluster": "runuser -u postgres -- psql -XAtc 'SELECT system_identifier FROM pg_control_system()'",
};
type Data = Record<keyof typeof DATA, string>;

const settings = {
  backup: { repository: { path: "/srv/backups" } },
  postgres: { databases: { grafana: {} }, roles: { reporting: { auth: "scram" } } },
  valkey: { databases: { grafana: 1 } },
  caddy: {
    tls: "internal",
    sites: { extra: { domain: "extra.lab.internal", backend: "127.0.0.1:9000", directives: "header X-Line one" } },
  },
};
const wiki = {
  containers: {
    web: {
      image: PYTHON,
      command: ["-m", "http.server", "8080", "--directory", "/srv"],
      volumes: { "/srv": "pages" },
      port: 8080,
      publish: 9100,
      health: { http: "/" },
    },
  },
  wantsPostgres: "wiki",
  valkey: {},
  site: { domain: "wiki.lab.internal", port: 9100, tls: "internal" },
};

/** Exit status of test/tools/released in a shallow clone if its origin does not provide the commit. */
const NO_COMMIT = 3;
let lab: Lab;
/** The stacks of the platform and of an app, each in the released version and in this one. */
let before: { platform: Stack; apps: Stack };
let now: { platform: Stack; apps: Stack };
let outputs: object;
let data: Data;

beforeAll(async () => {
  const { status, text } = await run(join(REPOSITORY, "test/tools/released"), []);
  if (status === NO_COMMIT) return;
  expect(status, text).toBe(0);
  const released = text.trim();
  lab = await Lab.stocked("release", "2026.8.3");
  const platform = await Stack.create(lab, settings, { program: released });
  await must(platform);
  await lab.addPython();
  outputs = await platform.outputs();
  const given = { platform: (outputs as { platform: object }).platform, apps: { wiki } };
  const apps = await Stack.create(lab, given, { program: join(released, APPS), suffix: "-apps" });
  await must(apps);
  await fill(outputs as { logins: { valkey: { grafana: string } } });
  data = await read();
  await lab.awaits(BACKED_UP);
  before = { platform, apps };
  now = {
    platform: new Stack(lab, settings),
    apps: new Stack(lab, given, { program: join(REPOSITORY, APPS), suffix: "-apps" }),
  };
});
beforeEach(({ skip }) => skip(!before, "this clone is shallow, without the commit of the released version"));
afterAll(async () => {
  await lab?.destroy();
  for (const stack of Object.values(before ?? {})) stack.remove();
});

async function must(stack: Stack, ...args: string[]) {
  const result = await stack.up(...args);
  expect(`${result.status} ${result.status === 0 ? "" : result.text}`).toBe("0 ");
  return result;
}

/** Writes data of each kind. */
async function fill({ logins }: { logins: { valkey: { grafana: string } } }): Promise<void> {
  await lab.sh(`curl --silent --fail -X POST '${NOTES}?text=kept'`);
  await lab.sh("su postgres -c 'psql -Xq grafana' <<'SQL'\nCREATE TABLE kept AS SELECT 'kept' AS value\nSQL");
  const [, user, password] = /^unix:\/\/(\w+):([^@]+)@/.exec(logins.valkey.grafana) ?? [];
  const login = `--user ${user} -a ${password} --no-auth-warning -n 1`;
  await lab.sh(`umask 077; echo 'valkey-cli -s /run/valkey/valkey.sock ${login} "$@"' >/root/valkey`);
  await lab.sh("sh /root/valkey set kept kept");
  await lab.sh("echo kept >/var/lib/apps/wiki/pages/index.html");
}
async function read(): Promise<Data> {
  const read = Object.entries(DATA).map(async ([name, command]) => [name, await lab.sh(command)]);
  return Object.fromEntries(await Promise.all(read));
}

test("one `up` of the platform restarts what its plan names, and deletes nothing", async () => {
  const { status, text, report } = await now.platform.plan();
  expect(status, text).toBe(2);
  const planned = announced(report);
  const watched = new Set([...UNITS, ...Object.keys(planned)]);
  const { result, units } = await touched(lab, () => must(now.platform), [...watched]);
  expect(units).toEqual(planned);
  expect([result.counts.deleted, result.counts.replaced]).toEqual([undefined, undefined]);
});

test("one `up` of the app restarts nothing of the platform, and deletes nothing", async () => {
  const { result, units } = await touched(lab, () => must(now.apps));
  expect(Object.values(units)).not.toContain("restarted");
  expect([result.counts.deleted, result.counts.replaced]).toEqual([undefined, undefined]);
});

test("then there is nothing left to do, in either stack", async () => {
  for (const stack of [now.platform, now.apps]) await must(stack, "--expect-no-changes");
  expect(await lab.sh("gatehouse verify >/dev/null && gatehouse status")).not.toMatch(/drifted|unhealthy|interrupted/);
});

test("the data of all services and the secrets are the same", async () => {
  expect(await read()).toEqual(data);
  expect(await now.platform.outputs()).toEqual({ ...outputs, readme: expect.anything() });
});

test("a backup continues in the repository of the released version", async () => {
  await lab.sh("gatehouse backup");
  expect(JSON.parse(await lab.sh("gatehouse backups --json")).healthy).toBe(true);
});
