// Apps of another stack beside the platform: each reaches what it asked for and nothing else. On a host of its own, since
// it is full of them in the end.
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ask } from "./support/client.ts";
import { IMAGE, Lab } from "./support/lab.ts";
import { type Outcome, Stack } from "./support/stack.ts";
import { touched, UNITS } from "./support/touched.ts";

const PROGRAM = fileURLToPath(new URL("apps", import.meta.url));
const PYTHON = "localhost/python:1";
const PG = "/run/postgresql";
const APP_UNITS = [
  "app-wiki-network.service",
  "app-wiki.service",
  "valkey-wiki.service",
  "app-board-pod.service",
  "app-board-web.service",
  "app-board-worker.service",
  "valkey-board.service",
  "app-pages.service",
];
const SERVE = ["-m", "http.server", "8080", "--directory", "/srv"];
const ANSWERS = ["python3", "-c", "from urllib.request import urlopen as ask; ask('http://127.0.0.1:8080')"];
let lab: Lab;
let stack: Stack;
let apps: Stack;
let first: { result: Outcome; units: Record<string, string> };

beforeAll(async () => {
  lab = await Lab.create("apps", "2026.8.3");
  stack = await Stack.create(lab);
  const { status, text } = await stack.up();
  expect(status, text).toBe(0);
  // The stand-in's image holds Python, behind an entry point of its own.
  await lab.sh(
    `podman create -q --name base ${IMAGE}:2026.8.3 && podman commit -q --change 'ENTRYPOINT ["python3"]' base ${PYTHON} && podman rm base`,
  );
  const { platform } = await stack.outputs();
  apps = await Stack.create(lab, { platform, apps: wishes() }, { program: PROGRAM, suffix: "-apps" });
  first = await touched(lab, () => apps.up());
});
afterAll(async () => {
  await lab.destroy();
  for (const one of [stack, apps]) one.remove();
});

const wishes = () => ({
  wiki: {
    containers: {
      web: {
        image: PYTHON,
        command: [...SERVE],
        environment: { GREETING: '50% of "$HOME"' },
        secrets: { key: "the key of the wiki" },
        volumes: { "/srv": "pages" },
        port: 8080,
        publish: 9100,
        health: ANSWERS,
      },
    },
    wantsPostgres: "wiki",
    valkey: { maxmemory: "16mb" },
    site: { domain: "wiki.lab.internal", port: 9100, tls: "internal" },
  },
  board: {
    containers: {
      web: {
        image: PYTHON,
        command: SERVE,
        volumes: { "/srv": "files" },
        port: 8080,
        publish: 9200,
        health: { http: "/" },
      },
      worker: { image: PYTHON, command: ["-c", "import signal; signal.pause()"], volumes: { "/var/files": "files" } },
    },
    wantsPostgres: "boards",
    valkey: {},
    site: { domain: "board.lab.internal", port: 9200, tls: "internal" },
  },
  pages: {
    containers: { web: { image: PYTHON, command: SERVE, volumes: { "/srv": "pages" }, port: 8080, publish: 9300 } },
  },
});

/** What Python prints in a container, or the last line of what it complains. */
async function python(container: string, program: string): Promise<string> {
  const { text } = await lab.try(`podman exec app-${container} python3 -c "${program}" 2>&1`);
  return text.trim().split("\n").at(-1) ?? "";
}
const select = (database: string, role: string) =>
  `import psycopg2; c = psycopg2.connect('host=${PG} dbname=${database} user=${role}').cursor(); c.execute('select current_user'); print(c.fetchone()[0])`;
/** A command of the host as an app's account with its groups, to whom every path is there. */
const as = (account: string, command: string) =>
  lab.try(`setpriv --reuid ${account} --regid ${account} --init-groups ${command} 2>&1`);
const verify = async () => (await lab.try("gatehouse verify")).text;

test("three apps of another stack deploy beside the platform, which reloads two files more and goes on", async () => {
  expect(first.result.status, first.result.text).toBe(0);
  expect(first.units).toEqual({ "postgresql@17-main.service": "reloaded", "caddy.service": "reloaded" });
  for (const unit of APP_UNITS) expect([unit, await lab.sh(`systemctl is-active ${unit}`)]).toEqual([unit, "active"]);
  expect(await verify()).toMatch(/^clean: \d+ items/);
});

test("a second `up` has nothing to do, and neither has the platform's", async () => {
  for (const one of [apps, stack])
    expect(Object.keys((await one.up("--expect-no-changes")).counts)).toEqual(["unchanged"]);
});

describe("who an app is", () => {
  test.each([
    ["wiki", "app-wiki", ["postgres-clients", "wiki-valkey"]],
    ["board", "app-board-web", ["postgres-clients", "board-valkey"]],
    ["board", "app-board-worker", ["postgres-clients", "board-valkey"]],
    ["pages", "app-pages", []],
  ])("%s in %s: its account, with exactly the groups it asked for, %j", async (app, container, groups) => {
    const pid = await lab.sh(`podman inspect -f '{{.State.Pid}}' ${container}`);
    const status = await lab.sh(`cat /proc/${pid}/status`);
    const line = (key: string) => new RegExp(`^${key}:\\s*(.*?)\\s*$`, "m").exec(status)?.[1]?.split(/\s+/).map(Number);
    const own = Number(await lab.sh(`id -g ${app}`));
    expect(line("Uid")?.[0]).toBe(Number(await lab.sh(`id -u ${app}`)));
    expect(line("Gid")?.[0]).toBe(own);
    const wanted = [own, ...(await Promise.all(groups.map((group) => lab.gid(group))))];
    expect(line("Groups")?.sort()).toEqual(wanted.sort());
    expect((await lab.sh(`id -Gn ${app}`)).split(" ").sort()).toEqual([app, ...groups].sort());
    expect(await lab.sh(`grep CapEff /proc/${pid}/status`)).toMatch(/0{16}$/);
    expect(await lab.sh(`cat /proc/${pid}/uid_map`)).toMatch(/^0\s+0\s+4294967295$/);
  });

  test("what it is given reaches it as it was given: variables, a secret as a file, a folder", async () => {
    expect(await python("wiki", "import os; print(os.environ['GREETING'])")).toBe('50% of "$HOME"');
    expect(await python("wiki", "print(open('/run/secrets/key').read())")).toBe("the key of the wiki");
    expect(await lab.sh("podman inspect app-wiki")).not.toContain("the key of the wiki");
    expect(await lab.stat("/var/lib/apps/wiki/pages")).toBe("750 wiki:wiki");
    await python("board-web", "open('/srv/note', 'w').write('shared')");
    expect(await python("board-worker", "print(open('/var/files/note').read())")).toBe("shared");
  });
});

describe("PostgreSQL", () => {
  test("an app is its own role in its own database", async () => {
    expect(await python("wiki", select("wiki", "wiki"))).toBe("wiki");
    expect(await python("board-worker", select("boards", "board"))).toBe("board");
  });

  test.each([
    ["boards", "wiki", "no pg_hba.conf entry"],
    ["authentik", "wiki", "no pg_hba.conf entry"],
    ["postgres", "wiki", "no pg_hba.conf entry"],
    ["boards", "board", "Peer authentication failed"],
    ["authentik", "authentik", "Peer authentication failed"],
    ["postgres", "postgres", "Peer authentication failed"],
  ])("wiki gets into database %s as %s: %s", async (database, role, told) => {
    expect((await lab.try(`podman exec app-wiki python3 -c "${select(database, role)}" 2>&1`)).text).toContain(told);
  });

  test("an app that did not ask for it does not get to the socket", async () => {
    const inside = await lab.try(`podman exec app-pages python3 -c "${select("wiki", "pages")}" 2>&1`);
    expect(inside.text).toContain("No such file or directory");
    const ids = await lab.sh("echo $(id -u pages):$(id -g pages)");
    const mounted = await lab.try(
      `podman run --rm --user ${ids} -v ${PG}:${PG} ${PYTHON} -c "${select("wiki", "pages")}" 2>&1`,
    );
    expect(mounted.text).toContain("Permission denied");
  });
});

describe("Valkey", () => {
  const cli = (app: string, ...words: string[]) => `valkey-cli -s /run/valkey-${app}/valkey.sock ${words.join(" ")}`;

  test("each app has one of its own, on a socket of its own group and on no port", async () => {
    for (const app of ["wiki", "board"]) {
      expect(await lab.stat(`/run/valkey-${app}`)).toBe(`2770 ${app}-valkey:${app}-valkey`);
      expect(await lab.stat(`/run/valkey-${app}/valkey.sock`)).toBe(`770 ${app}-valkey:${app}-valkey`);
    }
    const pids = await lab.sh("systemctl show --value -p MainPID valkey-wiki valkey-board");
    for (const pid of pids.split(/\s+/)) expect(await lab.sh("ss -Hltnp")).not.toContain(`pid=${pid},`);
  });

  test("its app reads and writes in it, from the container, and does not command the server", async () => {
    const redis = "import redis; v = redis.Redis(unix_socket_path='/run/valkey-wiki/valkey.sock')";
    expect(await python("wiki", `${redis}; v.set('kept', 'yes'); print(v.get('kept').decode())`)).toBe("yes");
    expect(await python("wiki", `${redis}; v.config_get('dir')`)).toMatch(/no permissions/);
  });

  test.each([
    ["wiki", "board"],
    ["board", "wiki"],
    ["pages", "wiki"],
    ["authentik", "wiki"],
  ])("%s does not get to the socket of %s", async (account, other) => {
    expect((await as(account, cli(other, "ping"))).text).toContain("Permission denied");
    expect((await as(account, `ls /var/lib/apps/${other}-valkey /var/lib/apps/${other}`)).text).toMatch(
      /(Permission denied.*){2}/s,
    );
  });

  test("nor does an app get to the platform's Valkey, which it did not ask for", async () => {
    expect((await as("wiki", "valkey-cli -s /run/valkey/valkey.sock ping")).text).toContain("Permission denied");
  });

  test("a restart keeps the data, and the running container reaches it afterwards", async () => {
    const { units } = await touched(lab, () => lab.sh("systemctl restart valkey-wiki"), APP_UNITS);
    expect(units).toEqual({ "valkey-wiki.service": "restarted" });
    const get =
      "import redis; print(redis.Redis(unix_socket_path='/run/valkey-wiki/valkey.sock').get('kept').decode())";
    expect(await python("wiki", get)).toBe("yes");
  });
});

test("Caddy serves the sites, and what has none is reached from the host alone", async () => {
  await lab.sh("for app in wiki/pages board/files pages/pages; do echo $app >/var/lib/apps/$app/index.html; done");
  expect(await ask(lab.address, "wiki.lab.internal")).toEqual({ status: 200, body: "wiki/pages\n" });
  expect(await ask(lab.address, "board.lab.internal")).toEqual({ status: 200, body: "board/files\n" });
  expect(await lab.sh("curl -sf http://127.0.0.1:9300/")).toBe("pages/pages");
  expect(await lab.sh("ss -Hltn")).not.toMatch(/(0\.0\.0\.0|\*|\[::\]):9[123]00/);
});

describe("over the network", () => {
  const address = (container: string) =>
    lab.sh(`podman inspect -f '{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}' ${container}`);
  const reach = (container: string, url: string) =>
    python(container, `from urllib.request import urlopen as ask; print(ask('${url}', timeout=2).status)`);

  test.each([
    ["wiki", "app-pages", 8080],
    ["pages", "app-wiki", 8080],
    ["wiki", "authentik-infra", 9000],
  ])("%s does not reach %s, which the host does", async (from, to, port) => {
    const url = `http://${await address(to)}:${port}/`;
    expect(await lab.sh(`curl -s -o /dev/null -w '%{http_code}' ${url}`)).toBe("200");
    expect(await reach(from, url)).toContain("timed out");
  });

  test("nor does authentik reach an app", async () => {
    const url = `http://${await address("app-wiki")}:8080/`;
    const asked = `podman exec authentik-server python3 -c "from urllib.request import urlopen as ask; ask('${url}', timeout=2)" 2>&1`;
    expect((await lab.try(asked)).text).toContain("timed out");
  });

  test("what the host publishes for others on its loopback is out of reach; containers of one pod have theirs", async () => {
    expect(await reach("wiki", "http://127.0.0.1:9300/")).toContain("Connection refused");
    expect(await reach("board-worker", "http://127.0.0.1:8080/")).toBe("200");
  });
});

test("one app more touches its own units and reloads Caddy, and so does its leaving; no other app is asked for", async () => {
  const more = { ...wishes().pages, valkey: {}, site: { domain: "more.lab.internal", port: 9500, tls: "internal" } };
  more.containers.web.publish = 9500;
  for (const [settings, happens] of [
    [{ ...wishes(), more }, "created"],
    [wishes(), "deleted"],
  ] as const) {
    apps.settings.apps = settings;
    const { result, units } = await touched(lab, () => apps.up(), [...UNITS, ...APP_UNITS]);
    expect(result.status, result.text).toBe(0);
    expect(units).toEqual({ "caddy.service": "reloaded" });
    expect(Object.keys(result.counts).sort()).toEqual([happens, "unchanged"]);
    const active = happens === "created" ? "active" : "inactive";
    for (const unit of ["app-more.service", "app-more-network.service", "valkey-more.service"])
      expect([unit, (await lab.try(`systemctl is-active ${unit}`)).text.trim()]).toEqual([unit, active]);
  }
});

test("another secret restarts its app alone, which then has that one", async () => {
  apps.settings.apps.wiki.containers.web.secrets.key = "another key";
  const { result, units } = await touched(lab, () => apps.up(), [...UNITS, ...APP_UNITS]);
  expect(result.status, result.text).toBe(0);
  expect(result.text).not.toContain("another key");
  expect(units).toEqual({ "app-wiki.service": "restarted" });
  expect(await python("wiki", "print(open('/run/secrets/key').read())")).toBe("another key");
  expect(await lab.sh("ls /var/lib/gatehouse/secrets/app-wiki-secrets"), "the old one is gone").toBe("2");
});

test("after a reboot all of it is there again", async () => {
  await lab.reboot();
  for (const unit of APP_UNITS) expect([unit, await lab.sh(`systemctl is-active ${unit}`)]).toEqual([unit, "active"]);
  expect((await ask(lab.address, "board.lab.internal")).body).toBe("board/files\n");
  expect(await python("wiki", select("wiki", "wiki"))).toBe("wiki");
  expect(await verify()).toMatch(/^clean: \d+ items/);
});

test("an app that does not come up goes back, and leaves everybody else alone", async () => {
  apps.settings.apps.wiki.containers.web.command = ["-c", "raise SystemExit('broken on purpose')"];
  apps.settings.apps.wiki.deadline = 15;
  const { result, units } = await touched(lab, () => apps.up(), [...UNITS, ...APP_UNITS]);
  expect(result.status).not.toBe(0);
  expect(result.text).toContain("broken on purpose");
  expect(units).toEqual({ "app-wiki.service": "restarted" });
  expect((await ask(lab.address, "wiki.lab.internal")).status).toBe(200);
  apps.settings.apps = wishes();
  expect((await apps.up()).status).toBe(0);
});

test("a site that Caddy refuses is not served, and Caddy goes on as it was", async () => {
  Object.assign(apps.settings.apps.board.site, { directives: "no_such_directive" });
  const { result, units } = await touched(lab, () => apps.up(), [...UNITS, ...APP_UNITS]);
  expect(result.status).not.toBe(0);
  expect(result.text).toContain("unrecognized directive: no_such_directive");
  expect(units).toEqual({});
  apps.settings.apps = wishes();
  expect((await apps.up()).status).toBe(0);
});

test("a database of somebody else's is not taken over, and stays shut", async () => {
  const owner = (database: string) =>
    lab.sh(
      `su postgres -c "psql -XAtc \\"select pg_get_userbyid(datdba) from pg_database where datname = '${database}'\\""`,
    );
  apps.settings.apps = { ...wishes(), thief: { ...wishes().pages, wantsPostgres: "authentik" } };
  apps.settings.apps.thief.containers.web.publish = 9400;
  const { result, units } = await touched(lab, () => apps.up(), [...UNITS, ...APP_UNITS]);
  expect(result.status).not.toBe(0);
  expect(result.text).toContain("database authentik belongs to authentik, not to thief: give the app another one");
  expect(units).toEqual({ "postgresql@17-main.service": "reloaded" });
  expect(await owner("authentik")).toBe("authentik");
  expect(await lab.sh("ls /etc/postgresql/17/main/hba.d")).toBe("app-board.conf\napp-wiki.conf");
  apps.settings.apps = wishes();
  expect((await apps.up()).status).toBe(0);
});

test("an app of that name in a third stack is refused before its account is touched", async () => {
  const settings = { platform: apps.settings.platform, apps: { wiki: wishes().pages } };
  const third = await Stack.create(lab, settings, { program: PROGRAM, suffix: "-third", name: `${lab.name}-third` });
  const { result, units } = await touched(lab, () => third.up(), [...UNITS, ...APP_UNITS]);
  third.remove();
  expect(result.status).not.toBe(0);
  expect(result.text).toContain(`release app-wiki-claim on this host belongs to apps/${lab.name}/app-wiki-claim`);
  expect(units).toEqual({});
  expect(await lab.sh("id -Gn wiki")).toContain("postgres-clients");
});

test("an app that leaves takes away what runs and its files, and leaves its data and the others", async () => {
  const { board: _, ...others } = wishes();
  apps.settings.apps = others;
  const { result, units } = await touched(lab, () => apps.up(), [...UNITS, "app-wiki.service", "app-pages.service"]);
  expect(result.status, result.text).toBe(0);
  expect(units).toEqual({ "postgresql@17-main.service": "reloaded", "caddy.service": "reloaded" });
  expect(
    (
      await lab.try(
        "systemctl list-units --all --plain '*board*' | grep service; podman ps -a | grep board; podman network ls | grep board; find /etc -name '*board*'",
      )
    ).text,
  ).toBe("");
  expect(await lab.sh("ls /var/lib/apps/board/files/index.html /var/lib/apps/board-valkey")).toContain("dump.rdb");
  expect(
    await lab.sh(
      `su postgres -c "psql -XAtc \\"select pg_get_userbyid(datdba) from pg_database where datname = 'boards'\\""`,
    ),
  ).toBe("board");
  expect(await lab.sh("id -u board board-valkey")).toBeTruthy();
  expect(await verify()).toMatch(/^clean: \d+ items/);
});

test("and finds its data again when it comes back", async () => {
  apps.settings.apps = wishes();
  expect((await apps.up()).status).toBe(0);
  expect((await ask(lab.address, "board.lab.internal")).body).toBe("board/files\n");
  expect(await python("board-worker", select("boards", "board"))).toBe("board");
});
