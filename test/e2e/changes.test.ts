// M18, M19: an `up` makes the required changes on the host and touches nothing else.
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { ask } from "./support/client.ts";
import { Lab } from "./support/lab.ts";
import { POSTGRES, VALKEY } from "./support/platform.ts";
import { type Settings, Stack } from "./support/stack.ts";
import { planned, touched } from "./support/touched.ts";

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

  test("opens one SSH session to look for drift, and changes nothing", async () => {
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
  /** A command, and its output once the change is live. */
  shown: [command: string, output: string];
}

const site = (directives: string) => ({ domain: "extra.lab.internal", backend: "127.0.0.1:9000", directives });
/** The pod's settings as seen in a container: host names, DNS and /dev/shm. */
const INSIDE =
  "import os, socket; s = os.statvfs('/dev/shm'); print(socket.gethostbyname('mail.lan'), socket.gethostbyname('ldap.lan'), socket.gethostname(), open('/etc/resolv.conf').readline().strip(), s.f_blocks * s.f_frsize >> 20, open('/proc/sys/net/core/somaxconn').read().strip(), *sorted(os.listdir('/blueprints')))";

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
    what: "a removed site is gone after a reload of Caddy",
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
    what: "keys for authentik's containers restart the pod, which has the shared keys",
    make: (settings) =>
      Object.assign(settings.authentik, {
        container: {
          AddHost: ["mail.lan:192.0.2.7", "ldap.lan:192.0.2.8"],
          DNSSearch: "lab.internal",
          HostName: "auth",
          ShmSize: "100m",
          Sysctl: ["net.core.somaxconn=1024"],
          Volume: ["/etc/caddy:/blueprints/one:ro", "/etc/postgresql:/blueprints/two:ro"],
        },
      }),
    units: POD,
    shown: [
      `podman exec authentik-worker python3 -c "${INSIDE}"`,
      "192.0.2.7 192.0.2.8 auth search lab.internal 100 1024 one two",
    ],
  },
  {
    what: "a line of Caddyfile for authentik's own site reloads Caddy",
    make: (settings) => Object.assign(settings.authentik, { directives: "header X-Line own" }),
    units: { "caddy.service": "reloaded" },
    shown: [
      "curl -skI --resolve auth.lab.internal:443:127.0.0.1 https://auth.lab.internal/notes | grep -i x-line",
      "x-line: own",
    ],
  },
  {
    what: "a base path of authentik is used by the probe, and its setup stays closed",
    make: (settings) =>
      Object.assign(settings.authentik, {
        environment: {
          AUTHENTIK_WEB__PATH: "/auth/",
          AUTHENTIK_POSTGRESQL__CONN_MAX_AGE: 60,
          SSL_CERT_FILE: "/certs/authority.pem",
          TZ: "Europe/Berlin",
        },
      }),
    units: { ...POD, "caddy.service": "reloaded" },
    shown: [
      "for path in auth/notes auth/if/flow/initial-setup/ notes; do curl -sk -o /dev/null -w '%{http_code} ' --resolve auth.lab.internal:443:127.0.0.1 https://auth.lab.internal/$path; done; podman exec authentik-worker python3 -c 'import os; print(os.environ[\"TZ\"], os.environ[\"SSL_CERT_FILE\"])'",
      "200 403 404 Europe/Berlin /certs/authority.pem",
    ],
  },
  {
    what: "another image restarts the pod",
    make: (settings) => Object.assign(settings.authentik, { version: "2026.8.4", environment: {}, directives: "" }),
    units: { ...POD, "caddy.service": "reloaded" },
    shown: ["podman inspect -f '{{.ImageName}}' authentik-server", "localhost:5000/authentik-stand-in:2026.8.4"],
  },
];

// In this order: each test starts from the state after the previous one.
test.each(CHANGES)("$what, as its plan says, and affects nothing else", async ({ make, units, shown }) => {
  const [command, output] = shown;
  make(stack.settings);
  expect(await planned(stack)).toEqual(units);
  const { result, units: found } = await touched(lab, () => stack.up());
  expect(result.status, result.text).toBe(0);
  expect(found).toEqual(units);
  expect(await lab.sh(command)).toBe(output);
});

test("after all of them an `up` has nothing to do", async () => {
  expect(Object.keys((await stack.up("--expect-no-changes")).counts)).toEqual(["unchanged"]);
});

test("authentik's site uses a certificate of the operator, and Caddy's again without it", async () => {
  await lab.sh(
    "openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=own -addext subjectAltName=DNS:auth.lab.internal -keyout /etc/caddy/own.key -out /etc/caddy/own.pem 2>/dev/null && chown caddy /etc/caddy/own.key",
  );
  const issuer = () =>
    lab.sh(
      "curl -skv --resolve auth.lab.internal:443:127.0.0.1 https://auth.lab.internal/ 2>&1 | grep -o 'issuer: .*'",
    );
  expect(await issuer()).toContain("Caddy Local Authority");
  stack.settings.authentik.directives = "tls /etc/caddy/own.pem /etc/caddy/own.key";
  expect((await stack.up()).status).toBe(0);
  expect(await issuer()).toBe("issuer: CN=own");
  delete stack.settings.authentik.directives;
  expect((await stack.up()).status).toBe(0);
  expect(await issuer()).toContain("Caddy Local Authority");
  await lab.sh("rm /etc/caddy/own.*");
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

test("a database that its owner can use is closed to the owner of another", async () => {
  const enter = (database: string) =>
    lab.try(
      `setpriv --reuid authentik --regid authentik --init-groups psql -Xh /run/postgresql -U authentik -d ${database} -Atc 'select 1'`,
    );
  expect((await enter("authentik")).text.trim()).toBe("1");
  expect((await enter("wiki")).text).toMatch(/no pg_hba.conf entry/);
});

describe("existing data of a service", () => {
  const SAVED = { save: "" };
  let url: string;
  const valkey = (command: string) => lab.sh(`valkey-cli -u '${url}' --no-auth-warning ${command}`);
  const keys = async () => (await valkey("--raw keys '*'")).split("\n").sort().join(" ");

  beforeAll(async () => {
    // Through TCP, since a URL of valkey-cli cannot contain a socket.
    const { logins } = await stack.outputs();
    url = logins.valkey.wiki.replace(/^unix:\/\/(.*)@.*db=(\d+)$/, "valkey://$1@127.0.0.1:6379/$2");
    await valkey("mset one 1 two 2 three 3");
  });

  test.each<[string, Record<string, string>]>([
    ["with the append-only file, after switching to it", { appendonly: "yes" }],
    ["with that file only", { appendonly: "yes", ...SAVED }],
    ["with the snapshot again, although it writes none by itself", SAVED],
    ["with the append-only file again, which contains an older state", { appendonly: "yes" }],
    ["with the snapshot again", {}],
  ])("is loaded when Valkey starts: %s", async (_, settings) => {
    const before = stack.settings.valkey.settings.appendonly;
    stack.settings.valkey.settings = settings;
    const { report } = await stack.plan();
    expect(report.data.join(), report.summary).toMatch(
      settings.appendonly === before ? /^$/ : /^Valkey's keys are written to/,
    );
    // Expires before or soon after the end of the restart, which is no reason for a rollback.
    await valkey("set short 1 px 1000");
    await valkey(`set number-${settings.appendonly ?? "no"} 1`);
    const held = await keys();
    const { status, text } = await stack.up();
    expect(status, text).toBe(0);
    await lab.awaits(`[ "$(valkey-cli -u '${url}' --no-auth-warning exists short)" = 0 ]`);
    expect(await keys()).toBe(held.replace(" short", ""));
    expect(await lab.sh("ls -A /var/lib/valkey")).not.toContain(".before");
  });

  test("is restored in Valkey if new settings would lose some of it", async () => {
    await lab.sh(
      `for n in $(seq 500); do echo "set large-$n $(head -c 8000 /dev/zero | tr '\\0' x)"; done | valkey-cli -u '${url}' --no-auth-warning >/dev/null`,
    );
    const [held, conf] = [await keys(), await lab.sh("cat /etc/valkey/valkey.conf")];
    stack.settings.valkey.settings = { maxmemory: "2mb", "maxmemory-policy": "allkeys-lru" };
    const { status, text } = await stack.up();
    expect(status).not.toBe(0);
    expect(text).toMatch(/holds less after its restart than before: \d+ keys were evicted/);
    expect(text).toContain("which is healthy");
    expect(await keys()).toBe(held);
    expect(await lab.sh("cat /etc/valkey/valkey.conf")).toBe(conf);
    await valkey(
      "--raw eval \"for _, key in ipairs(server.call('KEYS', 'large-*')) do server.call('DEL', key) end\" 0",
    );
    stack.settings.valkey.settings = {};
    expect((await stack.up()).status).toBe(0);
  });

  test("is not left behind by a Valkey that is not running: the change is refused", async () => {
    await lab.sh(`systemctl stop ${VALKEY}`);
    stack.settings.valkey.settings = { appendonly: "yes" };
    const { status, text } = await stack.up();
    expect(status).not.toBe(0);
    expect(text).toContain("First run `pulumi up` with appendonly no, then with yes");
    await lab.sh(`systemctl start ${VALKEY}`);
    const held = await keys();
    expect((await stack.up()).status).toBe(0);
    expect(await keys()).toBe(held);
    stack.settings.valkey.settings = {};
    expect((await stack.up()).status).toBe(0);
    expect(await keys()).toBe(held);
  });

  test("must be PostgreSQL's own cluster: a server that starts with other data is unhealthy", async () => {
    const config = await lab.sh(
      "ls -d /etc/postgresql/*/main /etc/postgresql/postgresql.conf 2>/dev/null | head -1 | sed 's|/postgresql.conf$||'",
    );
    const data = await lab.sh("su postgres -c 'psql -XAtc \"show data_directory\"'");
    const bin = await lab.sh("su postgres -c pg_config\\ --bindir 2>/dev/null || ls -d /usr/lib/postgresql/*/bin");
    await lab.sh(`su postgres -c '${bin}/initdb --pgdata=${data}/other --auth=peer >/dev/null'`);
    await lab.sh(
      `echo "data_directory = '${data}/other'" >${config}/conf.d/zz.conf; chown root:postgres ${config}/conf.d/zz.conf`,
    );
    stack.settings.postgres.settings.max_connections = 121;
    const { status, text } = await stack.up();
    await lab.sh(`rm -r ${config}/conf.d/zz.conf && systemctl restart ${POSTGRES} && rm -r ${data}/other`);
    expect(status).not.toBe(0);
    expect(text).toMatch(/holds less after its restart than before: 0 bytes of WAL of cluster \d+, \d+ before/);
    expect((await stack.up()).status).toBe(0);
    expect(await lab.sh("su postgres -c 'psql -XAtc \"show max_connections\"'")).toBe("121");
  });
});

describe("a new owner of a database", () => {
  const psql = (database: string, sql: string) =>
    lab.sh(`runuser -u postgres -- psql -XAtqv ON_ERROR_STOP=1 ${database} <<'SQL'\n${sql}\nSQL`);
  const owners = () =>
    psql(
      "wiki",
      "SELECT relname || ' ' || relowner::regrole FROM pg_class WHERE relname IN ('page', 'page_id_seq', 'titles', 'by_hand') UNION SELECT datname || ' ' || datdba::regrole FROM pg_database WHERE datname IN ('wiki', 'beside') ORDER BY 1",
    );

  beforeAll(() =>
    psql(
      "wiki",
      "CREATE DATABASE beside OWNER wiki;\nALTER DATABASE wiki SET search_path = 'nowhere'; SET SESSION AUTHORIZATION wiki; CREATE SCHEMA own; CREATE TABLE own.page (id serial); CREATE VIEW own.titles AS SELECT id FROM own.page",
    ),
  );
  afterAll(() => psql("postgres", "DROP DATABASE IF EXISTS beside;\nALTER DATABASE wiki RESET ALL"));

  test("owns everything that the previous owner had in it, and nothing that the previous owner has elsewhere", async () => {
    expect(await owners()).toBe("beside wiki\npage wiki\npage_id_seq wiki\ntitles wiki\nwiki wiki");
    stack.settings.postgres.databases.wiki = { owner: "librarian" };
    const { status, text } = await stack.up();
    expect(status, text).toBe(0);
    expect(await owners()).toBe("beside wiki\npage librarian\npage_id_seq librarian\ntitles librarian\nwiki librarian");
  });

  test("is refused with the commands if the previous owner was a superuser, whose tables would keep their owner", async () => {
    await psql("wiki", "ALTER DATABASE wiki OWNER TO postgres; CREATE TABLE own.by_hand ()");
    stack.settings.postgres.databases.wiki = {};
    const { status, text } = await stack.up();
    expect(status).not.toBe(0);
    expect(text).toMatch(/in database wiki:\s+ALTER TABLE own\.by_hand OWNER TO wiki;/);
    expect(await owners()).toContain("by_hand postgres");
    await psql("wiki", "ALTER TABLE own.by_hand OWNER TO wiki; REASSIGN OWNED BY librarian TO wiki");
    expect((await stack.up()).status).toBe(0);
    expect(await owners()).toMatch(/^(\w+ wiki\s*){6}$/);
  });
});

test("data written before the image changed exists after it", async () => {
  await lab.sh("curl -sf -X POST 'http://127.0.0.1:9000/notes?text=kept'");
  stack.settings.authentik.environment = {};
  await stack.up();
  expect((await ask(lab.address, "auth.lab.internal", "/notes")).body).toContain("kept");
});

test("while authentik starts slowly, an `up` reports what is missing, and a client is told that it starts", async () => {
  stack.settings.authentik.environment = { AUTHENTIK_STANDIN_BOOT: 15 };
  const up = stack.begin();
  await up.said(/waiting, \d+ s left: .*authentik-server\.service is activating/);
  const starting = await ask(lab.address, "auth.lab.internal", "/-/health/ready/");
  expect([starting.status, starting.body.includes("authentik starting")]).toEqual([503, true]);
  const { status, text } = await up.ended;
  expect(status, text).toBe(0);
  expect(text).toMatch(/waiting, \d+ s left: probe authentik is ready: \S+ answers 503 instead of 2xx/);
  expect((await ask(lab.address, "auth.lab.internal", "/-/health/ready/")).status).toBe(200);
  stack.settings.authentik.environment = {};
  await stack.up();
});

test("a host that was restored from an older disk snapshot gets the change again", async () => {
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

test("a manual rollback is reported by the next preview, and reverted by the next `up`", async () => {
  const path = "/etc/caddy/sites/extra.caddy";
  const wanted = await lab.sh(`cat ${path}`);
  Object.assign(stack.settings.caddy, { sites: { extra: site("header X-Line three") } });
  await stack.up();
  await lab.sh("gatehouse rollback site-extra");
  expect(await lab.sh(`cat ${path}`)).toBe(wanted);
  expect((await stack.preview()).text).toMatch(/drift: .*rolled back by hand to generation \d+/);
  expect((await stack.up()).status).toBe(0);
  expect(await lab.sh(`cat ${path}`)).toContain("X-Line three");
  expect(Object.keys((await stack.up("--expect-no-changes")).counts)).toEqual(["unchanged"]);
});

test("`gatehouse` on the host reports that everything is healthy, and finds an unmanaged file", async () => {
  expect(await lab.try("gatehouse status")).toMatchObject({ status: 0 });
  expect((await lab.try("gatehouse verify")).text).toMatch(/^in sync: \d+ items/);
  await lab.sh("printf '[Container]\\nImage=x\\n' >/etc/containers/systemd/unmanaged.container");
  const found = await lab.try("gatehouse verify --json");
  await lab.sh("rm /etc/containers/systemd/unmanaged.container");
  expect(found.status).toBe(3);
  expect(found.text).toContain("/etc/containers/systemd/unmanaged.container");
});
