// Apps of another stack beside the platform: each has access only to the resources that it requested. On a separate
// host, which has many apps at the end.
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ask } from "../support/client.ts";
import { Lab, PYTHON, usually } from "../support/lab.ts";
import { type Outcome, Stack } from "../support/stack.ts";
import { touched, UNITS } from "../support/touched.ts";

const PROGRAM = fileURLToPath(new URL("apps", import.meta.url));
/** The same image under another name. */
const OTHER = "localhost/python:2";
const PG = "/run/postgresql";
/** The mount from which Caddy serves press-kit, quoted for a shell. */
const MOUNT = String.raw`run-apps-press\\x2dkit.mount`;
const APP_UNITS = [
  "app-wiki-network.service",
  "app-wiki.service",
  "valkey-wiki.service",
  "app-board-pod.service",
  "app-board-web.service",
  "app-board-worker.service",
  "valkey-board.service",
  "app-pages.service",
  "app-digest.service",
  "app-digest-build.timer",
  "run-apps-digest.mount",
  "files-digest.service",
  MOUNT,
  "files-press-kit.service",
];
const SERVE = ["-m", "http.server", "8080", "--directory", "/srv"];
/** Publishes its identity and its secret; takes its time if the file `wait` exists. */
const BUILD = `
import json, os, time
me = {"uid": os.getuid(), "groups": sorted({os.getgid(), *os.getgroups()}), "key": open("/run/secrets/key").read()}
print(json.dumps(me), file=open("/out/index.html", "w"))
time.sleep(600 if os.path.exists("/out/wait") else 0)
`;
const ANSWERS = ["python3", "-c", "from urllib.request import urlopen as ask; ask('http://127.0.0.1:8080')"];
let lab: Lab;
let stack: Stack;
let apps: Stack;
let first: { result: Outcome; units: Record<string, string> };

beforeAll(async () => {
  lab = await Lab.stocked("apps", "2026.8.3");
  stack = await Stack.create(lab);
  const { status, text } = await stack.up();
  expect(status, text).toBe(0);
  await lab.addPython();
  const { platform } = await stack.outputs();
  apps = await Stack.create(lab, { platform, apps: allApps() }, { program: PROGRAM, suffix: "-apps" });
  first = await touched(lab, () => apps.up());
});
afterAll(async () => {
  await lab.destroy();
  for (const one of [stack, apps]) one.remove();
});

const allApps = () => ({
  wiki: {
    containers: {
      web: {
        image: PYTHON,
        command: [...SERVE],
        environment: { GREETING: '50% of "$HOME"' },
        files: { "/etc/wiki/wiki.ini": "greeting = 100 %n\n" },
        secrets: { key: "the key of the wiki" },
        volumes: { "/srv": "pages" },
        port: 8080,
        publish: 9100,
        health: ANSWERS,
      },
    },
    wantsPostgres: "wiki",
    valkey: { maxmemory: "16mb" },
    shmSize: "96m",
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
      worker: {
        image: PYTHON,
        command: ["-c", "import signal; signal.pause()"],
        secrets: { key: "the key of the board" },
        volumes: { "/var/files": "files" },
      },
    },
    wantsPostgres: "boards",
    valkey: {},
    shmSize: "1gb",
    site: { domain: "board.lab.internal", port: 9200, tls: "internal" },
  },
  pages: {
    containers: { web: { image: PYTHON, command: SERVE, volumes: { "/srv": "pages" }, port: 8080, publish: 9300 } },
  },
  digest: {
    containers: {
      web: { image: PYTHON, command: SERVE, volumes: { "/srv": "notes" }, port: 8080, publish: 9500 },
      build: {
        image: PYTHON,
        command: ["-c", BUILD.trim().replaceAll("\n", "; ")],
        secrets: { key: "the key of the job" },
        volumes: { "/out": "public" },
        schedule: "yearly",
      },
      tick: {
        image: PYTHON,
        command: ["-c", "print('tick', file=open('/ticks/log', 'a'))"],
        volumes: { "/ticks": "ticks" },
        schedule: "*:*:0/20",
      },
    },
    wantsPostgres: "digest",
    site: { domain: "digest.lab.internal", files: "public", tls: "internal" },
  },
  "press-kit": { site: { domain: "press.lab.internal", files: "public", tls: "internal" } },
});

/** The output of Python in a container, or the last line of its error. */
async function python(container: string, program: string): Promise<string> {
  const { text } = await lab.try(`podman exec app-${container} python3 -c "${program}" 2>&1`);
  return text.trim().split("\n").at(-1) ?? "";
}
const select = (database: string, role: string) =>
  `import psycopg2; c = psycopg2.connect('host=${PG} dbname=${database} user=${role}').cursor(); c.execute('select current_user'); print(c.fetchone()[0])`;
/** Runs a command on the host, where every path exists, as an app's account with its groups. */
const as = (account: string, command: string) =>
  lab.try(`setpriv --reuid ${account} --regid ${account} --init-groups ${command} 2>&1`);
/** Everything with this name that runs or is a file of the program, in any form. */
const LEFT = (name: string) =>
  `systemctl list-units --all --plain --no-legend '*${name}*'; podman ps -a | grep ${name}; podman network ls | grep ${name}; find /etc /var/lib/systemd/timers -name '*${name}*'`;
const verify = async () => (await lab.try("gatehouse verify")).text;

test("apps of another stack are deployed beside the platform, which reloads two more files and stays available", async () => {
  expect(first.result.status, first.result.text).toBe(0);
  expect(first.units).toEqual({ "postgresql@17-main.service": "reloaded", "caddy.service": "reloaded" });
  for (const unit of APP_UNITS) expect([unit, await lab.sh(`systemctl is-active ${unit}`)]).toEqual([unit, "active"]);
  expect(await verify()).toMatch(/^in sync: \d+ items/);
});

test("a second `up` has nothing to do, and neither has the platform's", async () => {
  for (const one of [apps, stack])
    expect(Object.keys((await one.up("--expect-no-changes")).counts)).toEqual(["unchanged"]);
});

describe("the identity of an app", () => {
  test.each([
    ["wiki", "app-wiki", ["postgres-clients", "wiki-valkey"]],
    ["board", "app-board-web", ["postgres-clients", "board-valkey"]],
    ["board", "app-board-worker", ["postgres-clients", "board-valkey"]],
    ["pages", "app-pages", []],
  ])("%s in %s: its account, with exactly the requested groups, %j", async (app, container, groups) => {
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

  test("its settings arrive unchanged: variables, configuration, a secret as a file, a folder", async () => {
    expect(await python("wiki", "import os; print(os.environ['GREETING'])")).toBe('50% of "$HOME"');
    expect(await python("wiki", "print(open('/etc/wiki/wiki.ini').read().strip())")).toBe("greeting = 100 %n");
    expect(await python("wiki", "open('/etc/wiki/wiki.ini', 'w')")).toContain("Read-only file system");
    expect((await as("board", "cat /etc/apps/wiki/web/etc/wiki/wiki.ini")).text).toContain("Permission denied");
    expect(await python("wiki", "print(open('/run/secrets/key').read())")).toBe("the key of the wiki");
    expect(await lab.sh("podman inspect app-wiki")).not.toContain("the key of the wiki");
    expect(await lab.stat("/var/lib/apps/wiki/pages")).toBe("750 wiki:wiki");
    await python("board-web", "open('/srv/note', 'w').write('shared')");
    expect(await python("board-worker", "print(open('/var/files/note').read())")).toBe("shared");
  });
});

test.each([
  ["wiki", "96"],
  ["board-web", "1024"],
  ["board-worker", "1024"],
])("%s has %s MiB of /dev/shm, alone or in a pod", async (container, size) => {
  const shm = "import os; s = os.statvfs('/dev/shm'); print(s.f_blocks * s.f_frsize >> 20)";
  expect(await python(container, shm)).toBe(size);
});

describe("PostgreSQL", () => {
  test("an app has its own role in its own database", async () => {
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
  ])("wiki gets into database %s as %s: %s", async (database, role, reported) => {
    expect((await lab.try(`podman exec app-wiki python3 -c "${select(database, role)}" 2>&1`)).text).toContain(
      reported,
    );
  });

  test("an app without PostgreSQL cannot access the socket", async () => {
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

  test("each app has its own, on a socket with its own group and on no port", async () => {
    for (const app of ["wiki", "board"]) {
      expect(await lab.stat(`/run/valkey-${app}`)).toBe(`3770 ${app}-valkey:${app}-valkey`);
      expect(await lab.stat(`/run/valkey-${app}/valkey.sock`)).toBe(`770 ${app}-valkey:${app}-valkey`);
    }
    const pids = await lab.sh("systemctl show --value -p MainPID valkey-wiki valkey-board");
    for (const pid of pids.split(/\s+/)) expect(await lab.sh("ss -Hltnp")).not.toContain(`pid=${pid},`);
  });

  test("its app reads and writes in it, from the container, and cannot control the server", async () => {
    const redis = "import redis; v = redis.Redis(unix_socket_path='/run/valkey-wiki/valkey.sock')";
    expect(await python("wiki", `${redis}; v.set('kept', 'yes'); print(v.get('kept').decode())`)).toBe("yes");
    expect(await python("wiki", `${redis}; v.config_get('dir')`)).toMatch(/no permissions/);
  });

  test.each([
    ["wiki", "board"],
    ["board", "wiki"],
    ["pages", "wiki"],
    ["authentik", "wiki"],
  ])("%s cannot access the socket of %s", async (account, other) => {
    expect((await as(account, cli(other, "ping"))).text).toContain("Permission denied");
    expect((await as(account, `ls /var/lib/apps/${other}-valkey /var/lib/apps/${other}`)).text).toMatch(
      /(Permission denied.*){2}/s,
    );
  });

  test("an app cannot access the platform's Valkey either", async () => {
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

test("Caddy serves the sites; an app without one can be reached from the host only", async () => {
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

  test("authentik does not reach an app either", async () => {
    const url = `http://${await address("app-wiki")}:8080/`;
    const asked = `podman exec authentik-server python3 -c "from urllib.request import urlopen as ask; ask('${url}', timeout=2)" 2>&1`;
    expect((await lab.try(asked)).text).toContain("timed out");
  });

  test("ports on the host's loopback are out of reach; containers of one pod share their own loopback", async () => {
    expect(await reach("wiki", "http://127.0.0.1:9300/")).toContain("Connection refused");
    expect(await reach("board-worker", "http://127.0.0.1:8080/")).toBe("200");
  });
});

describe("a job", () => {
  const BUILT = "/var/lib/apps/digest/public";
  const job = (property: string) => lab.sh(`systemctl show --value -p ${property} app-digest-build.service`);
  const run = () => lab.try("systemctl start app-digest-build.service");
  const status = async () => (await lab.try("gatehouse status")).text;

  test("is not started with the app, but by its timer", async () => {
    expect(await job("ExecMainStartTimestamp")).toBe("");
    expect(await lab.sh("systemctl list-timers --no-legend app-digest-build.timer")).toMatch(/^\w{3} \d{4}-01-01 00:0/);
    expect(await lab.sh("systemctl is-enabled app-digest-build.timer")).toBe("enabled");
  });

  test("runs to completion as the account, with exactly its groups, its secret and its folder", async () => {
    expect(await run()).toEqual({ status: 0, text: "" });
    expect(await job("ActiveState")).toBe("inactive");
    expect(JSON.parse(await lab.sh(`cat ${BUILT}/index.html`))).toEqual({
      uid: Number(await lab.sh("id -u digest")),
      groups: [Number(await lab.sh("id -g digest")), await lab.gid("postgres-clients")].sort((a, b) => a - b),
      key: "the key of the job",
    });
    expect(await lab.stat(`${BUILT}/index.html`)).toBe("644 digest:digest");
    expect(await lab.sh("podman ps --all --format '{{.Names}}'")).not.toContain("build");
  });

  test("has its network again after it was pruned while nothing of the app ran", async () => {
    await lab.sh("systemctl stop app-digest app-digest-tick.timer app-digest-tick && podman system prune --force");
    expect((await lab.try("podman network exists app-digest")).status).toBe(1);
    expect(await run()).toEqual({ status: 0, text: "" });
    await lab.sh("podman system prune --force && systemctl start app-digest app-digest-tick.timer");
    await lab.awaits("curl --silent --fail --max-time 1 --output /dev/null http://127.0.0.1:9500/");
    expect((await lab.try("/usr/local/libexec/gatehouse/container-guard --check")).text).toBe("");
  });

  test("with another command is not started, and the container beside it is not restarted; its failure is shown", async () => {
    const before = await job("ExecMainStartTimestamp");
    apps.settings.apps.digest.containers.build.command = ["-c", "raise SystemExit('broken on purpose')"];
    const { result, units } = await touched(lab, () => apps.up(), [...UNITS, ...APP_UNITS]);
    expect(result.status, result.text).toBe(0);
    expect(units).toEqual({});
    expect(await job("ExecMainStartTimestamp")).toBe(before);
    expect(await status()).not.toContain("app-digest-build.service failed");
    expect((await run()).status).not.toBe(0);
    expect(await status()).toMatch(/app-digest +the last run of app-digest-build\.service failed/);
    expect(await lab.sh("journalctl -o cat -u app-digest-build.service")).toContain("broken on purpose");
  });

  test("that failed does not stop an apply, and another schedule does not start a run that was missed", async () => {
    await lab.sh("touch -d '3 hours ago' /var/lib/systemd/timers/stamp-app-digest-build.timer");
    await lab.sh("systemctl restart app-digest-build.timer");
    const before = await job("ExecMainStartTimestamp");
    apps.settings.apps = allApps();
    apps.settings.apps.digest.containers.build.schedule = "hourly";
    const { result, units } = await touched(lab, () => apps.up(), [...UNITS, ...APP_UNITS]);
    expect(result.status, result.text).toBe(0);
    expect(units).toEqual({ "app-digest-build.timer": "restarted" });
    expect(await job("ExecMainStartTimestamp")).toBe(before);
    expect((await run()).status).toBe(0);
    expect(await status()).not.toContain("app-digest-build.service failed");
  });

  test("with an invalid time is refused with a message, and nothing changes", async () => {
    apps.settings.apps.digest.containers.build.schedule = "dayly";
    const { result, units } = await touched(lab, () => apps.up(), [...UNITS, ...APP_UNITS]);
    expect(result.status).not.toBe(0);
    expect(result.text).toMatch(
      /check schedule of build refuses the new files, nothing was changed:\s+Failed to parse calendar specification 'dayly'/,
    );
    expect(units).toEqual({});
  });

  test("is removed with its timer and its running process, and the container beside it keeps running", async () => {
    await lab.sh(`touch ${BUILT}/wait && systemctl start --no-block app-digest-build.service`);
    await expect.poll(() => lab.sh("podman ps"), { timeout: 20_000 }).toContain("app-digest-build");
    apps.settings.apps = allApps();
    apps.settings.apps.digest.containers.build = undefined;
    const { result, units } = await touched(lab, () => apps.up(), ["app-digest.service", "app-digest-tick.timer"]);
    expect(result.status, result.text).toBe(0);
    expect(units["app-digest.service"]).toBeUndefined();
    expect((await lab.try(LEFT("digest-build"))).text).toBe("");
    expect(await verify()).toMatch(/^in sync: \d+ items/);
    await lab.sh(`rm ${BUILT}/wait`);
    apps.settings.apps = allApps();
    expect((await apps.up()).status).toBe(0);
  });

  test("is started by its timer", async () => {
    const ticks = () => lab.try("cat /var/lib/apps/digest/ticks/log");
    await expect.poll(async () => (await ticks()).text, { timeout: 90_000, interval: 1000 }).toContain("tick");
    expect(await lab.sh("systemctl show --value -p ActiveState app-digest-tick.timer")).toBe("active");
  });
});

describe("a site of files", () => {
  const HOME = "/var/lib/apps/press-kit";
  const write = (path: string, text: string) => as("press-kit", `sh -c 'echo ${text} >${HOME}/${path}'`);
  const page = (path: string) => ask(lab.address, "press.lab.internal", path);

  test("serves the files that its account wrote, over HTTPS", async () => {
    expect((await write("public/index.html", "news")).text).toBe("");
    expect(await page("/")).toEqual({ status: 200, body: "news\n" });
    await lab.sh("systemctl start app-digest-build.service");
    expect((await ask(lab.address, "digest.lab.internal")).body).toContain("the key of the job");
  });

  test("lists no folders and serves no dotfiles", async () => {
    await as("press-kit", `mkdir ${HOME}/public/photos ${HOME}/public/.git`);
    for (const path of ["photos/one.txt", ".git/config", ".env"]) await write(`public/${path}`, "text");
    expect((await page("/photos/one.txt")).status).toBe(200);
    for (const path of ["/photos/", "/.git/config", "/.env"])
      expect([path, (await page(path)).status]).toEqual([path, 404]);
  });

  test("does not serve a sibling of its folder, which other accounts cannot access either", async () => {
    await lab.sh("echo private >/var/lib/apps/digest/notes/memo; chmod 644 /var/lib/apps/digest/notes/memo");
    for (const path of ["/notes/memo", "/../notes/memo", "/%2e%2e/notes/memo"])
      expect([path, (await ask(lab.address, "digest.lab.internal", path)).status]).toEqual([path, 404]);
    for (const account of ["wiki", "caddy"]) {
      expect((await as(account, "cat /var/lib/apps/digest/notes/memo")).text).toContain("Permission denied");
      expect((await as(account, "ls /var/lib/apps/digest")).text).toContain("Permission denied");
      expect((await as(account, "touch /var/lib/apps/digest/public/mine")).text).toContain("Permission denied");
      expect((await as(account, "cat /var/lib/apps/digest/public/index.html")).text).toContain("Permission denied");
      expect((await as(account, "touch /run/apps/digest/mine")).text).toContain("Permission denied");
      expect((await as(account, "cat /run/apps/digest/index.html")).text).toContain("uid");
    }
  });

  test("follows no symlink to files that Caddy may read and the app may not", async () => {
    const key = await lab.sh("find /var/lib/caddy -name root.key");
    expect((await as("caddy", `cat ${key}`)).text).toContain("PRIVATE KEY");
    expect((await as("press-kit", `cat ${key}`)).text).toContain("Permission denied");
    await as("press-kit", `ln -s ${key} ${HOME}/public/root.key`);
    expect(await page("/root.key")).toEqual({ status: 500, body: "" });
    // Only the mount prevents this: through another mount a symlink is followed, though never to files that only Caddy
    // can read. Without a mount there are no files.
    await as("press-kit", `ln -s /etc/hostname ${HOME}/public/hostname`);
    expect(await page("/hostname")).toEqual({ status: 500, body: "" });
    await lab.sh(`systemctl stop ${MOUNT}`);
    expect((await page("/root.key")).status).toBe(404);
    expect(await verify()).toContain(".mount is not active");
    await lab.sh(`mkdir -p /run/apps/press-kit && mount --bind ${HOME}/public /run/apps/press-kit`);
    expect((await page("/hostname")).body).toContain(lab.name);
    expect((await page("/root.key")).body).toBe("");
    await lab.sh("umount /run/apps/press-kit");
    await lab.sh(`systemctl start ${MOUNT}`);
    expect(await page("/root.key")).toEqual({ status: 500, body: "" });
  });

  test("is not below a folder in which its account could place a symlink", async () => {
    expect((await as("press-kit", `mv ${HOME}/public ${HOME}/away`)).text).toContain("Permission denied");
    expect((await as("press-kit", `touch ${HOME}/link`)).text).toContain("Permission denied");
  });

  test("is served again after it was deleted and restored, and `gatehouse status` reports it until then", async () => {
    await lab.sh(
      `cp -a ${HOME}/public /root/kept && rm -rf ${HOME}/public && install -d -o press-kit -g press-kit -m 755 ${HOME}/public`,
    );
    expect((await lab.try("gatehouse status")).text).toContain(`Caddy finds ${HOME}/public`);
    expect((await page("/")).status).toBe(404);
    await lab.sh(`rm -rf ${HOME}/public`);
    const { status, text } = await apps.up();
    expect(status, text).toBe(0);
    await lab.sh(`cp -a /root/kept/. ${HOME}/public/`);
    expect(await page("/")).toEqual({ status: 200, body: "news\n" });
    expect(await verify()).toMatch(/^in sync: \d+ items/);
  });

  test("may be added to a container as a folder and removed again: only the mount restarts", async () => {
    for (const files of ["notes", "public"]) {
      apps.settings.apps.digest.site.files = files;
      const { result, units } = await touched(lab, () => apps.up(), ["app-digest.service", "app-pages.service"]);
      expect(result.status, result.text).toBe(0);
      expect(units).toEqual({});
      expect(await lab.sh("findmnt -no FSROOT /run/apps/digest")).toMatch(new RegExp(`/var/lib/apps/digest/${files}$`));
      const modes = { notes: files === "notes" ? "755" : "750", public: files === "public" ? "755" : "750" };
      for (const [folder, mode] of Object.entries(modes))
        expect(await lab.stat(`/var/lib/apps/digest/${folder}`)).toBe(`${mode} digest:digest`);
      expect(await verify()).toMatch(/^in sync: \d+ items/);
    }
  });

  test("needs neither containers nor their network", async () => {
    const facts = JSON.parse((await lab.sh("gatehouse facts")).split("\n").at(-1) ?? "");
    expect(Object.keys(facts.items).filter((item) => item.includes("press-kit"))).toEqual([
      "account-press-kit",
      "release-app-press-kit",
    ]);
    expect(await lab.sh("ls /etc/containers/systemd; podman network ls")).not.toContain("press-kit");
  });
});

test("one more app affects its own units and reloads Caddy, and so does its removal; no other app is queried", async () => {
  const more = { ...allApps().pages, valkey: {}, site: { domain: "more.lab.internal", port: 9600, tls: "internal" } };
  more.containers.web.publish = 9600;
  for (const [settings, happens] of [
    [{ ...allApps(), more }, "created"],
    [allApps(), "deleted"],
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

test("a new secret restarts only its app, which then has it", async () => {
  apps.settings.apps.wiki.containers.web.secrets.key = "another key";
  const { result, units } = await touched(lab, () => apps.up(), [...UNITS, ...APP_UNITS]);
  expect(result.status, result.text).toBe(0);
  expect(result.text).not.toContain("another key");
  expect(units).toEqual({ "app-wiki.service": "restarted" });
  expect(await python("wiki", "print(open('/run/secrets/key').read())")).toBe("another key");
  expect(await lab.sh("ls /var/lib/gatehouse/secrets/app-wiki-secrets"), "the old one is gone").toBe("2");
});

test("after a reboot everything is available again", async () => {
  await lab.reboot();
  for (const unit of APP_UNITS) expect([unit, await lab.sh(`systemctl is-active ${unit}`)]).toEqual([unit, "active"]);
  expect((await ask(lab.address, "board.lab.internal")).body).toBe("board/files\n");
  expect((await ask(lab.address, "press.lab.internal")).body).toBe("news\n");
  expect((await ask(lab.address, "press.lab.internal", "/root.key")).status).toBe(500);
  expect(await python("wiki", select("wiki", "wiki"))).toBe("wiki");
  expect(await verify()).toMatch(/^in sync: \d+ items/);
});

test("an app that does not become healthy is rolled back, and does not affect others", async () => {
  apps.settings.apps.wiki.containers.web.command = ["-c", "raise SystemExit('broken on purpose')"];
  apps.settings.apps.wiki.deadline = 15;
  const { result, units } = await touched(lab, () => apps.up(), [...UNITS, ...APP_UNITS]);
  expect(result.status).not.toBe(0);
  expect(result.text).toContain("broken on purpose");
  expect(units).toEqual({ "app-wiki.service": "restarted" });
  expect((await ask(lab.address, "wiki.lab.internal")).status).toBe(200);
  apps.settings.apps = allApps();
  expect((await apps.up()).status).toBe(0);
});

describe("a new app with a site", () => {
  /** Responds at port 9700 unless configured otherwise. */
  const fresh = (more: object = {}, site: object = {}) => ({
    containers: {
      web: {
        image: PYTHON,
        command: SERVE,
        volumes: { "/srv": "pages" },
        port: 8080,
        publish: 9700,
        health: { http: "/" },
        ...more,
      },
    },
    deadline: 15,
    site: { domain: "fresh.lab.internal", port: 9700, tls: "internal", ...site },
  });
  const up = async (app?: object) => {
    apps.settings.apps = app ? { ...allApps(), fresh: app } : allApps();
    return await touched(lab, () => apps.up(), [...UNITS, ...APP_UNITS]);
  };
  const known = async () =>
    (
      await lab.try(
        "curl -sS --fail --unix-socket /run/caddy/admin.sock -H 'Host;' http://localhost/config/ | grep -o fresh.lab.internal",
      )
    ).text;

  const UNFIT: [what: string, container: object, site: object, reported: string][] = [
    ["runs and does not answer", { health: { http: "/no-such-page" } }, {}, "probe web of fresh is healthy: .*404"],
    [
      "has an unknown directive in its site",
      {},
      { directives: "no_such_directive" },
      "unrecognized directive: no_such_directive",
    ],
    [
      "has the site of another app",
      {},
      { domain: "board.lab.internal" },
      "ambiguous site definition: board.lab.internal",
    ],
  ];
  test.each(usually(2, UNFIT))(
    "that %s leaves nothing on the host, and Caddy unchanged",
    async (_, container, site, reported) => {
      const { result, units } = await up(fresh(container, site));
      expect(result.status).not.toBe(0);
      expect(result.text).toMatch(new RegExp(reported));
      expect(units).toEqual({});
      expect(await known()).toBe("");
      expect((await lab.try(LEFT("fresh"))).text).toBe("");
      expect((await ask(lab.address, "board.lab.internal")).status).toBe(200);
    },
  );

  const ENDS: [how: string, container: object, end: string, reported: string][] = [
    [
      "with a failure",
      { command: ["-c", "raise SystemExit('broken on purpose')"] },
      "exit status 1",
      "broken on purpose",
    ],
    ["successfully", { command: ["-c", "print('nothing to do')"] }, "exit status 0", "nothing to do"],
  ];
  test.each(usually(1, ENDS))(
    "that ends at once, %s, does not delay the apply until its deadline",
    async (_, container, end, reported) => {
      const began = Date.now();
      const { result } = await up({ ...fresh(container), deadline: 900 });
      expect(result.status).not.toBe(0);
      expect(result.text).toContain(`app-fresh.service has ended 5 times in the same way: ${end}`);
      expect(result.text).toContain(`the last lines of app-fresh.service:`);
      expect(result.text).toContain(reported);
      expect(Date.now() - began).toBeLessThan(200_000);
      expect((await lab.try(LEFT("fresh"))).text).toBe("");
    },
  );

  test("is served once it is healthy; a change of its port changes the app and Caddy together", async () => {
    const first = await up(fresh());
    expect(first.result.status, first.result.text).toBe(0);
    expect(first.units).toEqual({ "caddy.service": "reloaded" });
    expect(await known()).toContain("fresh.lab.internal");
    expect((await ask(lab.address, "fresh.lab.internal")).status).toBe(200);
    const { result, units } = await up(fresh({ publish: 9701 }, { port: 9701 }));
    expect(result.status, result.text).toBe(0);
    expect(units).toEqual({ "caddy.service": "reloaded" });
    expect((await ask(lab.address, "fresh.lab.internal")).status).toBe(200);
  });

  test("keeps its port if Caddy refuses the new one", async () => {
    const { result, units } = await up(fresh({ publish: 9700 }, { port: 9700, directives: "no_such_directive" }));
    expect(result.status).not.toBe(0);
    expect(units).toEqual({});
    expect((await ask(lab.address, "fresh.lab.internal")).status).toBe(200);
    expect(await lab.sh("ss -Hltn 'sport = :9700 or sport = :9701' | awk '{print $4}'")).toBe("127.0.0.1:9701");
    expect((await up()).units).toEqual({ "caddy.service": "reloaded" });
    expect(await known()).toBe("");
  });
});

test("an image that migrates its database and then fails is rolled back together with it", async () => {
  await lab.sh(`podman tag ${PYTHON} ${OTHER}`);
  const { web } = apps.settings.apps.wiki.containers;
  web.image = OTHER;
  web.command = [
    "-c",
    `import psycopg2; c = psycopg2.connect('host=${PG} dbname=wiki user=wiki'); c.cursor().execute('CREATE TABLE migrated ()'); c.commit(); raise SystemExit('broken on purpose')`,
  ];
  apps.settings.apps.wiki.deadline = 15;
  const { result, units } = await touched(lab, () => apps.up(), [...UNITS, ...APP_UNITS]);
  expect(result.status).not.toBe(0);
  expect(result.text).toMatch(/save database wiki[\s\S]*broken on purpose[\s\S]*restore database wiki/);
  expect(units).toEqual({ "app-wiki.service": "restarted" });
  expect(await lab.sh("podman inspect -f '{{.ImageName}}' app-wiki")).toBe(PYTHON);
  const tables = (database: string) =>
    lab.sh(`su postgres -c "psql -XAtc \\"select relname from pg_class where relname = 'migrated'\\" ${database}"`);
  expect([await tables("wiki"), await tables("wiki_failed_upgrade")]).toEqual(["", "migrated"]);
  expect(await python("wiki", select("wiki", "wiki"))).toBe("wiki");
  apps.settings.apps = allApps();
});

test("another image of a job copies no database and restarts nothing", async () => {
  apps.settings.apps.digest.containers.build.image = OTHER;
  const { result, units } = await touched(lab, () => apps.up(), [...UNITS, ...APP_UNITS]);
  expect(result.status, result.text).toBe(0);
  expect(result.text).not.toContain("save database");
  expect(units).toEqual({});
  apps.settings.apps = allApps();
});

test("a site that Caddy refuses is not served, and Caddy continues unchanged", async () => {
  Object.assign(apps.settings.apps.board.site, { directives: "no_such_directive" });
  const { result, units } = await touched(lab, () => apps.up(), [...UNITS, ...APP_UNITS]);
  expect(result.status).not.toBe(0);
  expect(result.text).toContain("unrecognized directive: no_such_directive");
  expect(units).toEqual({});
  apps.settings.apps = allApps();
});

test("a database with another owner is not taken over, and stays closed", async () => {
  const owner = (database: string) =>
    lab.sh(
      `su postgres -c "psql -XAtc \\"select pg_get_userbyid(datdba) from pg_database where datname = '${database}'\\""`,
    );
  apps.settings.apps = { ...allApps(), thief: { ...allApps().pages, wantsPostgres: "authentik" } };
  apps.settings.apps.thief.containers.web.publish = 9400;
  const { result, units } = await touched(lab, () => apps.up(), [...UNITS, ...APP_UNITS]);
  expect(result.status).not.toBe(0);
  expect(result.text).toContain(
    "database authentik belongs to authentik, not to thief: use another database for the app",
  );
  expect(units, "there is nothing of an app whose role was refused").toEqual({});
  expect(await owner("authentik")).toBe("authentik");
  expect(await lab.sh("ls /etc/postgresql/17/main/hba.d")).toBe("app-board.conf\napp-digest.conf\napp-wiki.conf");
  apps.settings.apps = allApps();
  expect((await apps.up()).status).toBe(0);
});

test("an app with the same name in a third stack is refused before its account is changed", async () => {
  const settings = { platform: apps.settings.platform, apps: { wiki: allApps().pages } };
  const third = await Stack.create(lab, settings, { program: PROGRAM, suffix: "-third", name: `${lab.name}-third` });
  const { result, units } = await touched(lab, () => third.up(), [...UNITS, ...APP_UNITS]);
  third.remove();
  expect(result.status).not.toBe(0);
  expect(result.text).toContain(`stack apps/${lab.name}: on this host app-wiki belongs to it\n`);
  expect(units).toEqual({});
  expect(await lab.sh("id -Gn wiki")).toContain("postgres-clients");
});

test("an app moves to another stack and back unchanged, if that stack names its previous stack", async () => {
  const { wiki, ...others } = allApps();
  const settings = { platform: apps.settings.platform, apps: { wiki }, takeOver: [`stack apps/${lab.name}`] };
  const place = { program: PROGRAM, suffix: "-fourth", name: `${lab.name}-fourth` };
  const fourth = await Stack.create(lab, settings, place);
  const owners = () => lab.sh("grep -h ^owner /var/lib/gatehouse/releases/app-wiki*/[0-9]*/manifest.toml | sort -u");
  const moves = async (act: () => Promise<Outcome>) => {
    const { result, units } = await touched(lab, act, [...UNITS, ...APP_UNITS]);
    expect(result.status, result.text).toBe(0);
    expect(units).toEqual({});
    expect(await ask(lab.address, "wiki.lab.internal")).toMatchObject({ status: 200 });
  };
  expect((await fourth.preview()).text).toContain(
    `taken over: stack apps/${lab.name}: on this host app-wiki-postgres and `,
  );
  await moves(() => fourth.up());
  expect(await owners()).toContain(`"apps/${lab.name}-fourth/app-wiki-postgres"`);
  expect(Object.keys((await fourth.up("--expect-no-changes")).counts)).toEqual(["unchanged"]);
  expect((await apps.up()).text).toContain(`stack apps/${lab.name}-fourth: on this host app-wiki-`);
  apps.settings.apps = others;
  await moves(() => apps.up());

  Object.assign(apps.settings, { apps: allApps(), takeOver: [`stack apps/${lab.name}-fourth`] });
  await moves(() => apps.up());
  await moves(() => fourth.destroy());
  fourth.remove();
  delete apps.settings.takeOver;
  await moves(() => apps.up());
  expect(await verify()).toMatch(/^in sync: \d+ items/);
});

test("an app with the name of a person's login, or with a port that is in use, is refused before anything changes", async () => {
  await lab.sh("useradd -m -s /bin/bash -G sudo deploy; systemd-run --quiet --unit door python3 -m http.server 9400");
  const { pages } = allApps();
  apps.settings.apps = { ...allApps(), deploy: { containers: { web: { ...pages.containers.web, publish: 9400 } } } };
  for (const operate of [() => apps.preview(), () => apps.up()]) {
    const { status, text, counts } = await operate();
    expect(status).not.toBe(0);
    expect(text).toMatch(/account deploy: UID \d+, home \/home\/deploy, shell \/bin\/bash, a member of sudo\n/);
    expect(text).toMatch(/port 127\.0\.0\.1:9400\/tcp: taken by python3 \(process \d+\) of door\.service/);
    expect(counts).not.toHaveProperty("updated");
  }
  expect(await lab.sh("id -Gn deploy")).toBe("deploy sudo");
  await lab.sh("userdel -r deploy; systemctl stop door");
  apps.settings.apps = allApps();
  // Its component is in the state, but nothing of it is on the host.
  const { result, units } = await touched(lab, () => apps.up());
  expect(result.status, result.text).toBe(0);
  expect(Object.keys(result.counts).sort()).toEqual(["deleted", "unchanged"]);
  expect(units).toEqual({});
});

test("a deleted app removes its units and files, and keeps its data and the other apps", async () => {
  await lab.sh("touch /var/lib/apps/digest/public/wait && systemctl start --no-block app-digest-build.service");
  await expect.poll(() => lab.sh("podman ps"), { timeout: 20_000 }).toContain("app-digest-build");
  const { board: _, digest: __, ...others } = allApps();
  apps.settings.apps = others;
  const { result, units } = await touched(lab, () => apps.up(), [...UNITS, "app-wiki.service", "app-pages.service"]);
  expect(result.status, result.text).toBe(0);
  expect(units).toEqual({ "postgresql@17-main.service": "reloaded", "caddy.service": "reloaded" });
  for (const app of ["board", "digest"]) expect((await lab.try(LEFT(app))).text).toBe("");
  expect(await lab.sh("ls /var/lib/apps/board/files/index.html /var/lib/apps/board-valkey")).toContain("dump.rdb");
  expect(
    await lab.sh(
      `su postgres -c "psql -XAtc \\"select pg_get_userbyid(datdba) from pg_database where datname = 'boards'\\""`,
    ),
  ).toBe("board");
  expect(await lab.sh("id -u board board-valkey")).toBeTruthy();
  expect(await verify()).toMatch(/^in sync: \d+ items/);
});

test("and finds its data again when it is added again", async () => {
  apps.settings.apps = allApps();
  expect((await apps.up()).status).toBe(0);
  expect((await ask(lab.address, "board.lab.internal")).body).toBe("board/files\n");
  expect(await python("board-worker", select("boards", "board"))).toBe("board");
});

describe("an app with `purge`", () => {
  const { board, "press-kit": pressKit, ...others } = allApps();
  const sql = (statement: string, database = "boards") =>
    lab.sh(`su postgres -c "psql -XAt ${database}" <<'END'\n${statement}\nEND`);
  const COPIES = "/var/backups/gatehouse";

  test("is unchanged until it is deleted", async () => {
    await sql("SET ROLE board; CREATE TABLE note AS SELECT 'kept' AS text");
    await lab.sh("valkey-cli -s /run/valkey-board/valkey.sock set note kept");
    for (const app of ["board", "press-kit"]) apps.settings.apps[app].purge = true;
    const { result, units } = await touched(lab, () => apps.up(), [...UNITS, ...APP_UNITS]);
    expect(result.status, result.text).toBe(0);
    expect(units).toEqual({});
  });

  test("is deleted with its data, of which copies remain that only root can read", async () => {
    apps.settings.apps = others;
    const { result, units } = await touched(lab, () => apps.up(), [...UNITS, "app-wiki.service", "app-pages.service"]);
    expect(result.status, result.text).toBe(0);
    expect(units).toEqual({ "postgresql@17-main.service": "reloaded", "caddy.service": "reloaded" });
    expect(await sql("SELECT datname FROM pg_database WHERE datname = 'boards'", "postgres")).toBe("");
    expect(await sql("SELECT rolname FROM pg_roles WHERE rolname = 'board'", "postgres")).toBe("");
    expect(await lab.sh("ls /var/lib/gatehouse/secrets")).not.toContain("board");
    expect(await lab.sh("ls /var/lib/apps")).not.toMatch(/board|press-kit/);
    expect(await lab.sh(`cd ${COPIES} && find . -type f | sed -E 's|/[0-9]+T[^/]+/|/TIME/|' | sort`)).toBe(
      [
        "./app-board-postgres/TIME/database/boards.pgdump",
        "./app-board-secrets/TIME/secrets/app-board-secrets.tar.gz",
        "./app-board-valkey/TIME/valkey/board-valkey.tar.gz",
        "./app-board/TIME/volumes/board.tar.gz",
        "./app-press-kit/TIME/volumes/press-kit.tar.gz",
      ].join("\n"),
    );
    for (const account of ["wiki", "postgres"])
      expect((await as(account, `ls ${COPIES}/app-board-postgres/*/database`)).text).toContain("Permission denied");
    expect(await verify()).toMatch(/^in sync: \d+ items/);
  });

  test("is empty when it is added again, and gets its data back with the commands of the guide", async () => {
    apps.settings.apps = { ...others, board, "press-kit": pressKit };
    expect((await apps.up()).status).toBe(0);
    expect((await ask(lab.address, "board.lab.internal")).body).not.toContain("board/files");
    await lab.sh(`systemctl stop app-board-pod.service valkey-board.service
      su postgres -c 'pg_restore --no-owner --role=board --dbname=boards' <$(echo ${COPIES}/app-board-postgres/*/database/boards.pgdump)
      tar -xzf ${COPIES}/app-board/*/volumes/board.tar.gz -C /var/lib/apps
      tar -xzf ${COPIES}/app-board-valkey/*/valkey/board-valkey.tar.gz -C /var/lib/apps
      systemctl start app-board-pod.service
      curl --silent --fail --retry 50 --retry-connrefused --retry-delay 1 --output /dev/null http://127.0.0.1:9200/`);
    expect((await ask(lab.address, "board.lab.internal")).body).toBe("board/files\n");
    expect(await sql("SET ROLE board; SELECT text FROM note")).toContain("kept");
    expect(await lab.sh("valkey-cli -s /run/valkey-board/valkey.sock get note")).toBe("kept");
  });
});
