// M18, M19: what an `up` changes on the host, and that it touches nothing else.
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { ask } from "./support/client.ts";
import { Lab } from "./support/lab.ts";
import { POSTGRES, VALKEY } from "./support/platform.ts";
import { type Settings, Stack } from "./support/stack.ts";
import { touched } from "./support/touched.ts";

const POD = {
  "authentik-pod.service": "restarted",
  "authentik-server.service": "restarted",
  "authentik-worker.service": "restarted",
};
let lab: Lab;
let stack: Stack;

beforeAll(async () => {
  lab = await Lab.at(inject("host"));
  stack = new Stack(lab);
  await stack.up();
});
afterAll(async () => {
  await new Stack(lab).up();
});

describe("an `up` with nothing to do", () => {
  const sessionsOf = async (operation: () => Promise<{ counts: Record<string, number> }>) => {
    const before = await lab.sessions();
    const { result, units } = await touched(lab, operation);
    expect(units).toEqual({});
    expect(Object.keys(result.counts)).toEqual(["unchanged"]);
    return (await lab.sessions()) - before;
  };

  test("opens one SSH session to look for changes made by hand, and changes nothing", async () => {
    expect(await sessionsOf(() => stack.up("--expect-no-changes"))).toBe(1);
  });

  test("opens none with drift off", async () => {
    stack.settings.drift = false;
    expect(await sessionsOf(() => stack.up("--expect-no-changes"))).toBe(0);
    delete stack.settings.drift;
  });
});

interface Change {
  what: string;
  make: (settings: Settings) => void;
  units: Record<string, string>;
  /** A command whose output tells that the change is there. */
  shown: [command: string, output: string];
}

const site = (directives: string) => ({ domain: "extra.lab.internal", backend: "127.0.0.1:9000", directives });
/** What a container of the pod finds. */
const INSIDE =
  "import os, socket; s = os.statvfs('/dev/shm'); print(socket.gethostbyname('mail.lan'), socket.gethostbyname('ldap.lan'), socket.gethostname(), open('/etc/resolv.conf').readline().strip(), s.f_blocks * s.f_frsize >> 20, open('/proc/sys/net/core/somaxconn').read().strip())";

const CHANGES: Change[] = [
  {
    what: "a new site reloads Caddy",
    make: (settings) => Object.assign(settings.caddy, { sites: { extra: site("header X-Line one") } }),
    units: { "caddy.service": "reloaded" },
    shown: [
      "curl -skI --resolve extra.lab.internal:443:127.0.0.1 https://extra.lab.internal/notes | grep -i x-line",
      "x-line: one",
    ],
  },
  {
    what: "one changed line of a site reloads Caddy",
    make: (settings) => Object.assign(settings.caddy.sites, { extra: site("header X-Line two") }),
    units: { "caddy.service": "reloaded" },
    shown: [
      "curl -skI --resolve extra.lab.internal:443:127.0.0.1 https://extra.lab.internal/notes | grep -i x-line",
      "x-line: two",
    ],
  },
  {
    what: "a site taken out is gone after a reload of Caddy",
    make: (settings) => delete settings.caddy.sites,
    units: { "caddy.service": "reloaded" },
    shown: ["ls /etc/caddy/sites", "authentik.caddy"],
  },
  {
    what: "a PostgreSQL setting that needs it restarts PostgreSQL",
    make: (settings) => Object.assign(settings, { postgres: { settings: { max_connections: 120 } } }),
    units: { [POSTGRES]: "restarted" },
    shown: ["su postgres -c 'psql -XAtc \"show max_connections\"'", "120"],
  },
  {
    what: "a PostgreSQL setting that does not reloads PostgreSQL",
    make: (settings) => Object.assign(settings.postgres.settings, { work_mem: "5MB" }),
    units: { [POSTGRES]: "reloaded" },
    shown: ["su postgres -c 'psql -XAtc \"show work_mem\"'", "5MB"],
  },
  {
    what: "M11: a new database with its role reloads PostgreSQL",
    make: (settings) =>
      Object.assign(settings.postgres, { databases: { wiki: {} }, roles: { wiki: { auth: "scram" } } }),
    units: { [POSTGRES]: "reloaded" },
    shown: [
      "su postgres -c \"psql -XAtc \\\"select pg_get_userbyid(datdba) || ' ' || left(rolpassword, 13) from pg_database join pg_authid on datdba = pg_authid.oid where datname = 'wiki'\\\"\"",
      "wiki SCRAM-SHA-256",
    ],
  },
  {
    what: "a Valkey setting restarts Valkey",
    make: (settings) => Object.assign(settings, { valkey: { settings: { maxmemory: "64mb" } } }),
    units: { [VALKEY]: "restarted", "valkey-socket-fix.service": "restarted" },
    shown: ["grep maxmemory /etc/valkey/valkey.conf", 'maxmemory "64mb"'],
  },
  {
    what: "M13: an application with a Valkey database reloads Valkey's users",
    make: (settings) => Object.assign(settings.valkey, { databases: { wiki: 1 } }),
    units: { [VALKEY]: "reloaded" },
    shown: ["grep -c '^user wiki on #' /etc/valkey/users.acl", "1"],
  },
  {
    what: "a setting of authentik restarts the pod",
    make: (settings) => Object.assign(settings.authentik, { environment: { AUTHENTIK_LOG_LEVEL: "debug" } }),
    units: POD,
    shown: ["grep -c LOG_LEVEL=debug /etc/authentik/authentik.env", "1"],
  },
  {
    what: "keys for authentik's containers restart the pod, which has those that its members share",
    make: (settings) =>
      Object.assign(settings.authentik, {
        container: {
          AddHost: ["mail.lan:192.0.2.7", "ldap.lan:192.0.2.8"],
          DNSSearch: "lab.internal",
          HostName: "auth",
          ShmSize: "100m",
          Sysctl: ["net.core.somaxconn=1024"],
        },
      }),
    units: POD,
    shown: [
      `podman exec authentik-worker python3 -c "${INSIDE}"`,
      "192.0.2.7 192.0.2.8 auth search lab.internal 100 1024",
    ],
  },
  {
    what: "another image restarts the pod",
    make: (settings) => Object.assign(settings.authentik, { version: "2026.8.4" }),
    units: POD,
    shown: ["podman inspect -f '{{.ImageName}}' authentik-server", "localhost:5000/authentik-stand-in:2026.8.4"],
  },
];

// In this order: each starts from what the one before left.
test.each(CHANGES)("$what, and touches nothing else", async ({ make, units, shown: [command, output] }) => {
  make(stack.settings);
  const { result, units: found } = await touched(lab, () => stack.up());
  expect(result.status, result.text).toBe(0);
  expect(found).toEqual(units);
  expect(await lab.sh(command)).toBe(output);
});

test("after all of them an `up` has nothing to do", async () => {
  expect(Object.keys((await stack.up("--expect-no-changes")).counts)).toEqual(["unchanged"]);
});

test("the role with a password logs in with the one in the stack's outputs, and with no other", async () => {
  const { logins } = await stack.outputs();
  const login = (password: string) =>
    lab.try(
      `printf '%s' '/run/postgresql:5432:wiki:wiki:${password}' >/root/.pgpass; chmod 600 /root/.pgpass; psql -Xwh /run/postgresql -U wiki -d wiki -Atc 'select current_user'; rm /root/.pgpass`,
    );
  expect((await login(logins.postgres.wiki)).text.trim()).toBe("wiki");
  expect((await login("wrong")).text).toContain("password authentication failed");
});

test("a database reached by its owner is closed to the owner of another", async () => {
  const enter = (database: string) =>
    lab.try(
      `setpriv --reuid authentik --regid authentik --init-groups psql -Xh /run/postgresql -U authentik -d ${database} -Atc 'select 1'`,
    );
  expect((await enter("authentik")).text.trim()).toBe("1");
  expect((await enter("wiki")).text).toMatch(/no pg_hba.conf entry/);
});

test("data written before the image changed are there after it", async () => {
  await lab.sh("curl -sf -X POST 'http://127.0.0.1:9000/notes?text=kept'");
  stack.settings.authentik.environment = {};
  await stack.up();
  expect((await ask(lab.address, "auth.lab.internal", "/notes")).body).toContain("kept");
});

test("a host that was set back to an older snapshot of its disk gets the change again", async () => {
  const kept =
    "/var/lib/gatehouse/releases/site-extra /var/lib/gatehouse/items/release-site-extra.json /etc/caddy/sites";
  Object.assign(stack.settings.caddy, { sites: { extra: site("header X-Line one") } });
  await stack.up();
  await lab.sh(`tar -C / -cf /root/snapshot.tar ${kept.replaceAll(" /", " ").slice(1)}`);
  const before = await lab.sh("cat /etc/caddy/sites/extra.caddy");
  Object.assign(stack.settings.caddy, { sites: { extra: site("header X-Line two") } });
  expect((await stack.up()).status).toBe(0);
  const changed = await lab.sh("cat /etc/caddy/sites/extra.caddy");
  expect(changed).not.toBe(before);
  await lab.sh(`rm -r ${kept} && tar -C / -xf /root/snapshot.tar && systemctl reload caddy`);
  expect(await lab.sh("cat /etc/caddy/sites/extra.caddy"), "the snapshot is back").toBe(before);
  expect((await stack.up()).counts.updated).toBe(1);
  expect(await lab.sh("cat /etc/caddy/sites/extra.caddy")).toBe(changed);
  expect(Object.keys((await stack.up("--expect-no-changes")).counts)).toEqual(["unchanged"]);
});

test("a generation taken back by hand is told by the next preview, and put right by the next `up`", async () => {
  const path = "/etc/caddy/sites/extra.caddy";
  const wanted = await lab.sh(`cat ${path}`);
  Object.assign(stack.settings.caddy, { sites: { extra: site("header X-Line three") } });
  await stack.up();
  await lab.sh("gatehouse rollback site-extra");
  expect(await lab.sh(`cat ${path}`)).toBe(wanted);
  expect((await stack.preview()).text).toMatch(/changed on the host: .*rolled back by hand to generation \d+/);
  expect((await stack.up()).status).toBe(0);
  expect(await lab.sh(`cat ${path}`)).toContain("X-Line three");
  expect(Object.keys((await stack.up("--expect-no-changes")).counts)).toEqual(["unchanged"]);
});

test("on the host `gatehouse` tells that all is well, and finds a file that nobody put there", async () => {
  expect(await lab.try("gatehouse status")).toMatchObject({ status: 0 });
  expect((await lab.try("gatehouse verify")).text).toMatch(/^clean: \d+ items/);
  await lab.sh("printf '[Container]\\nImage=x\\n' >/etc/containers/systemd/stranger.container");
  const found = await lab.try("gatehouse verify --json");
  await lab.sh("rm /etc/containers/systemd/stranger.container");
  expect(found.status).toBe(3);
  expect(found.text).toContain("/etc/containers/systemd/stranger.container");
});
