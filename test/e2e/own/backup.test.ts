// Backups and restores, on separate hosts since data is destroyed on them: first to a folder of the host itself, then
// over SFTP to a second host, and from there onto a new third host.
import { connect, createServer, type Server } from "node:net";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { newKey } from "../../unit/sshd.ts";
import { ask } from "../support/client.ts";
import { BACKED_UP, Lab, PYTHON, usually } from "../support/lab.ts";
import { Stack } from "../support/stack.ts";

const DOMAIN = "auth.lab.internal";
const DATA = "/var/lib/postgresql/17/main";
const UPLOADS = "/var/lib/authentik/data";
const METRICS = "/var/lib/prometheus/node-exporter/gatehouse.prom";

let host: Lab;
let vault: Lab;
let stack: Stack;
let apps: Stack | undefined;
let keeper: object;
let relaying: Server | undefined;
const labs: Lab[] = [];
const opener = newKey();
/** The recovery data in the outputs of the first state. */
let recovery: { passphrase: string; repository: string };

beforeAll(async () => {
  host = await Lab.stocked("backup", "2026.8.3", "2026.8.4");
  labs.push(host);
  stack = await Stack.create(host, {
    postgres: { databases: { ledger: {}, other: {} } },
    backup: { repository: { path: "/srv/backups" } },
  });
  stack.settings.authentik.deadline = 30;
});
afterAll(async () => {
  relaying?.close();
  for (const lab of labs) await lab.destroy();
  for (const one of [stack, apps]) one?.remove();
});

const sql = (statement: string, database = "ledger", lab = host) =>
  lab.sh(`cd / && su postgres -c "psql -XqAt -d ${database}" <<'SQL'\n${statement}\nSQL`);
const note = (text: string) => host.sh(`curl -sf -X POST 'http://127.0.0.1:9000/notes?text=${text}'`);
const notes = async (lab = host) => (await ask(lab.address, DOMAIN, "/notes")).body;
interface Place {
  path: string;
  places: string[];
  files: number;
  size: number;
}
/** The backups that `gatehouse backups` lists. */
// biome-ignore lint/suspicious/noExplicitAny: the test checks the answer
const known = async (lab = host): Promise<any> => JSON.parse((await lab.try("gatehouse backups --json")).text);
const names = async (): Promise<string[]> => (await known()).backups.map(({ name }: { name: string }) => name);
const backUp = async (): Promise<string> => JSON.parse((await host.sh("gatehouse backup 2>/dev/null")) || "{}").backup;
const metric = async (name: string) => Number(await host.sh(`sed -n 's/^gatehouse_${name} //p' ${METRICS}`));
const settled = (lab = host) => lab.awaits(BACKED_UP);

async function allWell(lab = host): Promise<void> {
  const { status, text } = await lab.try("gatehouse status");
  expect(status, text).toBe(0);
}

/** Labs cannot reach each other, so this machine forwards their connections to the vault. */
async function reachable(from: Lab): Promise<void> {
  await from.sh(`ip route add ${vault.gateway} via ${from.gateway}`);
}
const PORT = 2222;
async function relay(): Promise<Server> {
  const server = createServer((client) => {
    const there = connect(22, vault.address);
    client.pipe(there).pipe(client);
    for (const socket of [client, there])
      socket.on("error", () => {
        client.destroy();
        there.destroy();
      });
  });
  await new Promise<void>((resolve) => server.listen(PORT, vault.gateway, resolve));
  return server;
}

/** Inserts rows through the socket, about 40 a second, until it is stopped or the server is gone. */
async function load(): Promise<{ stop(): Promise<void> }> {
  await sql(
    "CREATE TABLE IF NOT EXISTS load (id serial PRIMARY KEY, at timestamptz NOT NULL DEFAULT clock_timestamp())",
  );
  await sql("ALTER TABLE load OWNER TO ledger");
  await host.sh(
    `systemd-run --quiet --unit=load --uid=postgres --working-directory=/ sh -c 'while sleep 0.02; do echo "INSERT INTO load DEFAULT VALUES;"; done | psql -Xq -d ledger'`,
  );
  return { stop: async () => void (await host.try("systemctl stop load; systemctl reset-failed load")) };
}

test("the first `up` creates the repositories and takes a backup; the second changes nothing", async () => {
  const { status, text } = await stack.up();
  expect(status, text).toBe(0);
  await settled();
  const found = await known();
  expect(found).toMatchObject({ healthy: true, repository: "/srv/backups" });
  expect(found.backups.map(({ kind }: { kind: string }) => kind)).toEqual(["full"]);
  expect(await host.try("ls /var/lib/prometheus"), "there is no exporter").not.toMatchObject({ status: 0 });
  await host.sh(`mkdir -p ${METRICS.replace(/\/[^/]+$/, "")}`);
  expect(Object.keys((await stack.up("--expect-no-changes")).counts)).toEqual(["unchanged"]);
});

test("timers start backups and drills with low priority, and repeat missed runs", async () => {
  for (const unit of ["gatehouse-backup", "gatehouse-drill"]) {
    expect(await host.sh(`systemctl show ${unit}.timer -p ActiveState -p Persistent -p RandomizedDelayUSec`)).toBe(
      "RandomizedDelayUSec=30min\nPersistent=yes\nActiveState=active",
    );
    expect(await host.sh(`systemctl show ${unit}.service -p Nice -p IOWeight -p CPUWeight`)).toBe(
      "CPUWeight=20\nIOWeight=20\nNice=10",
    );
  }
});

test("an unmounted disk is not a new repository: the `up` is refused, and succeeds once the disk is mounted again", async () => {
  await host.sh("mv /srv/backups /srv/elsewhere && mkdir /srv/backups");
  const refused = await stack.up();
  expect(refused.status).not.toBe(0);
  expect(refused.text).toContain(
    "/srv/backups is empty, but this host has recorded 1 backup in it: is its disk mounted?",
  );
  expect(await host.sh("find /srv/backups -type f | wc -l")).toBe("0");
  await host.sh("rm -r /srv/backups && mv /srv/elsewhere /srv/backups");
  const { status, text } = await stack.up();
  expect(status, text).toBe(0);
  await settled();
  expect((await known()).backups.length).toBe(1);
  await allWell();
});

test("the contents of the repositories are encrypted, and no argument list or log contains the passphrase", async () => {
  await sql(
    "CREATE TABLE plain (word text); INSERT INTO plain SELECT 'legible-in-the-clear' FROM generate_series(1, 5000)",
  );
  await host.sh(`echo legible-in-the-clear >${UPLOADS}/word`);
  await backUp();
  expect(
    await host.sh(`grep -rl legible-in-the-clear ${DATA}/base ${UPLOADS} | wc -l`),
    "it is readable in the data",
  ).not.toBe("0");
  expect(await host.sh("grep -rl legible-in-the-clear /srv/backups | wc -l")).toBe("0");
  const { recovery } = await stack.outputs();
  expect(recovery.passphrase).toMatch(/^\w{48}$/);
  expect((await host.try(`journalctl -o cat | grep -c ${recovery.passphrase}`)).text.trim()).toBe("0");
  expect(await host.sh(`grep -rl ${recovery.passphrase} /etc /var/lib/gatehouse /var/log | sort`)).toMatch(
    /^\/etc\/pgbackrest\/pgbackrest\.conf\n(\/var\/lib\/gatehouse\/(releases\/backup-secrets|secrets\/backup-secrets|repositories)\/\w+\/\S+\n?){3}$/,
  );
});

test("after inserts under load the destroyed database is restored to a noted time: exactly what was committed until then", async () => {
  const { stop } = await load();
  await host.sh("sleep 1");
  await backUp();
  await host.sh("sleep 2");
  const [noted, count] = (await sql("SELECT now() || '|' || count(*) FROM load")).split("|") as [string, string];
  await host.sh("sleep 2");
  await sql("SELECT pg_switch_wal()");
  const [lag, rate] = (
    await sql(
      "SELECT round(extract(epoch FROM clock_timestamp() - last_archived_time)::numeric, 1) || '|' || (SELECT round(count(*) / extract(epoch FROM max(at) - min(at))) FROM load) FROM pg_stat_archiver",
    )
  ).split("|") as [string, string];
  await host.awaits(
    `su postgres -c "psql -XAtc \\"SELECT last_archived_time > '${noted}' FROM pg_stat_archiver\\"" | grep -qx t`,
  );
  const more = Number(await sql("SELECT count(*) FROM load"));
  expect(more).toBeGreaterThan(Number(count));
  expect(Number(rate)).toBeGreaterThanOrEqual(20);
  const before = await sql(`SELECT string_agg(id::text, ',' ORDER BY id) FROM load WHERE at <= '${noted}'`);
  await host.sh(`rm -rf ${DATA}`);
  await stop();
  const began = Date.now();
  const { status, text } = await host.try(`gatehouse restore --to '${noted}'`);
  const seconds = (Date.now() - began) / 1000;
  expect(status, text).toBe(0);
  expect(await sql(`SELECT string_agg(id::text, ',' ORDER BY id) FROM load WHERE at <= '${noted}'`)).toBe(before);
  expect(await sql(`SELECT count(*) FROM load WHERE at > '${noted}'`)).toBe("0");
  console.log(
    `${count} rows restored of ${more}, written at ${rate} a second; ${seconds.toFixed(1)} s to restore; the last WAL had been archived ${lag} s before`,
  );
  expect((await ask(host.address, DOMAIN)).status).toBe(200);
  await settled();
  expect((await host.try("gatehouse status")).text).toContain("`gatehouse restore --confirm` deletes");
  expect((await host.try("gatehouse restore --to latest")).text).toMatch(/has not been confirmed/);
  await host.sh("gatehouse restore --confirm");
  await allWell();
  expect(await host.sh("ls /var/lib/postgresql/17")).toBe("main");
  expect(Object.keys((await stack.up("--expect-no-changes")).counts)).toEqual(["unchanged"]);
});

test("a restore of a named backup restores database and files of one moment, and `--undo` the previous state", async () => {
  await note("before-the-backup");
  await host.sh(`echo before >${UPLOADS}/moment && chown authentik: ${UPLOADS}/moment && chmod 640 ${UPLOADS}/moment`);
  const name = await backUp();
  await note("after-the-backup");
  await host.sh(`echo after >${UPLOADS}/moment`);
  const dry = await host.try(`gatehouse restore --to ${name} --dry-run`);
  expect(dry.text).toContain(`folders are those of backup ${name}: `);
  for (const word of [UPLOADS, "authentik-pod.service", "postgresql@17-main.service", "caddy.service"])
    expect(dry.text).toContain(word);
  expect(await notes(), "a dry run does nothing").toContain("after-the-backup");
  const { status, text } = await host.try(`gatehouse restore --to ${name}`);
  expect(status, text).toBe(0);
  expect(await notes()).toContain("before-the-backup");
  expect(await notes()).not.toContain("after-the-backup");
  expect(await host.sh(`cat ${UPLOADS}/moment`)).toBe("before");
  expect(await host.stat(`${UPLOADS}/moment`)).toBe("640 authentik:authentik");
  expect(await host.stat(UPLOADS)).toBe("1770 root:authentik");
  await host.sh("gatehouse restore --undo");
  expect(await notes()).toContain("after-the-backup");
  expect(await host.sh(`cat ${UPLOADS}/moment`)).toBe("after");
  await settled();
  expect(await host.sh("ls /var/lib/postgresql/17 /var/lib/authentik | grep -E 'before|restored' | wc -l")).toBe("0");
  expect((await host.try("gatehouse verify")).status).toBe(0);
});

test("the backup includes an app of another stack: its volume, its database and its Valkey", async () => {
  await host.addPython();
  const { platform } = await stack.outputs();
  const web = {
    image: PYTHON,
    command: ["-m", "http.server", "8080", "--directory", "/srv"],
    volumes: { "/srv": "pages" },
    port: 8080,
    publish: 9100,
    health: { http: "/" },
  };
  apps = await Stack.create(
    host,
    { platform, apps: { wiki: { containers: { web }, wantsPostgres: "wiki", valkey: {} } } },
    { program: fileURLToPath(new URL("apps", import.meta.url)), suffix: "-apps" },
  );
  const made = await apps.up();
  expect(made.status, made.text).toBe(0);
  const remember = async (word: string) => {
    await host.sh(`echo ${word} >/var/lib/apps/wiki/pages/index.html`);
    await sql(
      `CREATE TABLE IF NOT EXISTS page (text text); TRUNCATE page; INSERT INTO page VALUES ('${word}')`,
      "wiki",
    );
    await host.sh(`su -s /bin/sh wiki -c 'valkey-cli -s /run/valkey-wiki/valkey.sock set word ${word}'`);
  };
  const remembered = async () => [
    await host.sh("curl -sf http://127.0.0.1:9100/"),
    await sql("SELECT text FROM page", "wiki"),
    await host.sh("su -s /bin/sh wiki -c 'valkey-cli -s /run/valkey-wiki/valkey.sock get word'"),
  ];
  await remember("first");
  const name = await backUp();
  await remember("second");
  expect(await remembered()).toEqual(["second", "second", "second"]);
  const { status, text } = await host.try(`gatehouse restore --to ${name}`);
  expect(status, text).toBe(0);
  expect(await remembered()).toEqual(["first", "first", "first"]);
  await settled();
  await host.sh("gatehouse restore --confirm");
  expect((await apps.destroy()).status).toBe(0);
  expect(await host.sh("cat /var/lib/apps/wiki/pages/index.html"), "destroy keeps data").toBe("first");
});

test("keeping fewer full backups than exist is refused with their names, unless allowed explicitly", async () => {
  await host.sh("gatehouse backup --full");
  await settled();
  const names = (await known()).backups.map(({ name }: { name: string }) => name);
  const fulls = (await known()).backups.filter(({ kind }: { kind: string }) => kind === "full").length;
  expect(fulls).toBeGreaterThan(1);
  stack.settings.backup.keep = 1;
  const refused = await stack.up();
  expect(refused.status).not.toBe(0);
  expect(refused.text).toMatch(
    new RegExp(`keeping 1 full backups would delete ${names[0]}.*: raise backup.keep to ${fulls}`),
  );
  expect((await known()).backups.map(({ name }: { name: string }) => name)).toEqual(names);
  stack.settings.backup.allowDataLoss = true;
  expect((await stack.up()).status).toBe(0);
  await backUp();
  expect((await known()).backups.map(({ name }: { name: string }) => name)).not.toContain(names[0]);
  delete stack.settings.backup.keep;
  delete stack.settings.backup.allowDataLoss;
  expect((await stack.up()).status).toBe(0);
});

test("one database is restored alone, also a dropped one; all others are unchanged", async () => {
  await sql("CREATE TABLE page (text text); INSERT INTO page VALUES ('kept')", "other");
  const name = await backUp();
  const position = await sql("SELECT pg_current_wal_insert_lsn()");
  await sql("UPDATE page SET text = 'later'", "other");
  await sql("CREATE TABLE later ()");
  const { status, text } = await host.try(`gatehouse restore --to ${name} --database other`);
  expect(status, text).toBe(0);
  expect(await sql("SELECT text FROM page", "other")).toBe("kept");
  expect(await sql("SELECT count(*) FROM pg_class WHERE relname = 'later'"), "of another database").toBe("1");
  const old = await sql("SELECT datname FROM pg_database WHERE datname LIKE 'other_before_%'");
  expect(await sql("SELECT text FROM page", old)).toBe("later");
  await sql(`DROP DATABASE "${old}"; DROP DATABASE other`);
  const again = await host.try(`gatehouse restore --to ${position} --database other`);
  expect(again.status, again.text).toBe(0);
  expect(await sql("SELECT text FROM page", "other")).toBe("kept");
  expect(await sql("SELECT pg_get_userbyid(datdba) || datacl::text FROM pg_database WHERE datname = 'other'")).toBe(
    "other{other=CTc/other}",
  );
  expect((await host.try(`gatehouse restore --to ${name} --database nobodys`)).text).toMatch(
    /database nobodys is not in backup .*; there are: authentik, ledger, other, postgres/,
  );
});

test("a restore that does not become healthy is rolled back, and nothing is lost", async () => {
  await sql("INSERT INTO authentik_version_history (version, build) VALUES ('2031.2.1', 'nobody')", "authentik");
  const name = await backUp();
  await sql("DELETE FROM authentik_version_history WHERE build = 'nobody'", "authentik");
  await note("since-the-backup");
  const { status, text } = await host.try(`gatehouse restore --to ${name}`);
  expect(status, text).toBe(3);
  expect(text).toContain("rolled back to the previous data; the services are healthy");
  expect(await notes()).toContain("since-the-backup");
  await allWell();
  expect(await host.sh("ls /var/lib/postgresql/17")).toBe("main");
});

test("a drill restores the newest backup, compares every table and file, and stores its result", async () => {
  await settled();
  await backUp();
  const { status, text } = await host.try("systemctl start gatehouse-drill.service && gatehouse status");
  expect(status, text).toBe(0);
  expect(text).toMatch(/newest backup: \d+ s ago, last good drill: \d+ s ago, in \/srv\/backups/);
  expect(await metric("drill_last_failed")).toBe(0);
  expect(Date.now() / 1000 - (await metric("drill_last_good_timestamp_seconds"))).toBeLessThan(60);
  expect(Date.now() / 1000 - (await metric("backup_last_good_timestamp_seconds"))).toBeLessThan(120);
  expect(await metric("backup_size_bytes")).toBeGreaterThan(20e6);
  expect(await host.sh("ls /var/lib/postgresql/17; ls /var/lib/gatehouse | grep -c drill || true")).toBe("main\n0");
});

test("a drill of a backup whose record does not match its contents fails and reports where", async () => {
  const { backups } = await known();
  const record = await host.sh(`ls /var/lib/gatehouse/repositories/*/${backups.at(-1).name}.json`);
  await host.sh(`cp ${record} /root/record && sed -i 's/"public.plain": \\[5000/"public.plain": [5001/' ${record}`);
  const { status, text } = await host.try("gatehouse drill");
  expect(status, text).toBe(1);
  expect(text).toContain("restored, but the contents differ from the backup's record: ledger: public.plain");
  expect(await metric("drill_last_failed")).toBe(1);
  await host.sh(`cp /root/record ${record}`);
  expect((await host.try("gatehouse drill")).status).toBe(0);
  expect(await metric("drill_last_failed")).toBe(0);
});

test.each(
  usually(1, [
    ["PostgreSQL", "/srv/backups/postgres/backup"],
    ["the folders", "/srv/backups/files/data"],
  ] as const),
)("a drill of a damaged backup of %s fails", async (_, folder) => {
  await host.sh(`cp -a ${folder} /root/whole`);
  await host.sh(
    `find ${folder} -type f -size +2k ! -name '*.info*' ! -name '*.manifest*' -exec chmod u+w {} + -exec sh -c 'for f; do dd if=/dev/urandom of="$f" bs=1 seek=1000 count=64 conv=notrunc status=none; done' sh {} +`,
  );
  const ran = await host.try("systemctl start gatehouse-drill.service");
  expect(ran.status).not.toBe(0);
  const reported = await host.try("gatehouse status");
  expect(reported.status).toBe(3);
  expect(reported.text).toMatch(/backup +the last drill failed/);
  expect(await metric("drill_last_failed")).toBe(1);
  await host.sh(`cp -a /root/whole/. ${folder} && rm -r /root/whole`);
  const again = await host.try("gatehouse drill");
  expect(again.status, again.text).toBe(0);
  await allWell();
});

test("a folder that root moved to another disk, and a file system in it, are saved, verified and restored", async () => {
  await host.sh(`systemctl stop authentik-pod && mkdir -p /srv/disk /srv/other && mv ${UPLOADS} /srv/disk/data && ln -s /srv/disk/data ${UPLOADS}
mount -t tmpfs tmpfs /srv/other && head -c 100000 /dev/urandom >/srv/other/on-the-disk && chown authentik: /srv/other/on-the-disk
install -d -o authentik -g authentik ${UPLOADS}/mounted && mount --bind /srv/other ${UPLOADS}/mounted && systemctl start authentik-pod`);
  await host.sh("systemctl start gatehouse-backup.service");
  const newest = (await known()).backups.at(-1);
  expect(newest.incomplete).toEqual({});
  const [uploads] = Object.values(newest.paths as Record<string, Place>).filter(({ path }) => path === UPLOADS);
  expect(uploads).toMatchObject({ places: ["/srv/disk/data"] });
  expect(uploads?.size).toBeGreaterThan(100_000);
  expect(uploads?.files).toBe(Number(await host.sh(`find ${UPLOADS}/ -type f | wc -l`)));
  expect((await host.try("gatehouse backups")).text).toMatch(
    /authentik\/\S+ +\d+ +[\d.]+ KiB +\/var\/lib\/authentik\/data -> \/srv\/disk\/data/,
  );
  const drilled = await host.try("systemctl start gatehouse-drill.service; gatehouse status");
  expect(drilled.status, drilled.text).toBe(0);

  const refused = await host.try(`gatehouse restore --to ${newest.name} --dry-run`);
  expect(refused.text).toContain(
    "/srv/disk/data/mounted is a separate file system, which cannot be swapped with a restored folder",
  );
  await host.sh(`echo later >${UPLOADS}/moment && umount ${UPLOADS}/mounted`);
  const restored = await host.try(`gatehouse restore --to ${newest.name}`);
  expect(restored.status, restored.text).toBe(0);
  expect(await host.sh(`cat ${UPLOADS}/moment && readlink ${UPLOADS}`)).toBe("after\n/srv/disk/data");
  expect(await host.sh(`cmp ${UPLOADS}/mounted/on-the-disk /srv/other/on-the-disk && echo same`)).toBe("same");
  await settled();
  await host.sh("gatehouse restore --confirm");
});

test("a drill fails if live data that existed before the backup is not in it", async () => {
  await host.sh(`rm ${UPLOADS}/mounted/on-the-disk`);
  await backUp();
  await host.sh(`mount --bind /srv/other ${UPLOADS}/mounted`);
  const { status, text } = await host.try("systemctl start gatehouse-drill.service; gatehouse status");
  expect(status).toBe(3);
  expect(text).toMatch(
    /the last drill failed.*authentik\/\S+: restored \d+ files with \d+ bytes, but \S+ had \d+ files with \d+ bytes when the backup was taken/,
  );
  await backUp();
  const again = await host.try("gatehouse drill");
  expect(again.status, again.text).toBe(0);
});

test("a folder that is a symlink which an account could have created is not followed, and is reported", async () => {
  await host.sh(`chown -h authentik: ${UPLOADS}`);
  const { status, text } = await host.try("gatehouse backup");
  expect(status, text).toBe(0);
  expect(text).toContain(
    `incomplete: authentik: ${UPLOADS} is not in the backup: ${UPLOADS}: data on this path is a link`,
  );
  await host.sh(
    `umount ${UPLOADS}/mounted /srv/other && systemctl stop authentik-pod && rm ${UPLOADS} && mv /srv/disk/data ${UPLOADS} && systemctl start authentik-pod`,
  );
  await backUp();
  await allWell();
});

test("a new image of authentik is preceded by a backup, and skipping a series is refused before anything changes", async () => {
  const newest = async () => (await known()).backups.at(-1).name;
  const before = await newest();
  stack.settings.authentik.version = "2026.8.4";
  const changed = await stack.up();
  expect(changed.status, changed.text).toBe(0);
  expect(await newest()).not.toBe(before);
  Object.assign(stack.settings.authentik, { version: "2026.2.1", allowDowngrade: false });
  const refused = await stack.up();
  expect(refused.status).not.toBe(0);
  expect(refused.text).toMatch(
    /2026\.2\.1 is of series 2026\.2, which can only follow 2025\.12, and this host has 2026\.8/,
  );
  expect((await ask(host.address, DOMAIN)).body).toContain("2026.8.4");
  Object.assign(stack.settings.authentik, { version: "2026.8.4", allowDowngrade: true });
  expect((await stack.up()).status).toBe(0);
});

test("over SFTP to another host: only the configured key is used, and the old repository is unchanged", async () => {
  vault = await Lab.stocked("vault");
  labs.push(vault);
  relaying = await relay();
  await reachable(host);
  await vault.sh(
    `useradd -m -s /bin/bash keeper && install -d -m 700 -o keeper -g keeper /home/keeper/.ssh && printf '%s\\n' '${opener.public}' >/home/keeper/.ssh/authorized_keys && chown keeper: /home/keeper/.ssh/authorized_keys && install -d -o keeper -g keeper /srv/keeper`,
  );
  await stack.setSecret("backupKey", opener.private);
  const old = await names();
  keeper = {
    sftp: { address: vault.gateway, port: PORT, user: "keeper", hostKey: vault.hostKey, path: "/srv/keeper" },
  };
  stack.settings.backup.repository = keeper;
  const { status, text } = await stack.up();
  expect(status, text).toBe(0);
  await settled();
  const local = await host.sh("find /srv/backups -type f | sort | sha256sum");
  await backUp();
  const there = await names();
  expect(there.length).toBe(2);
  expect(there.filter((name) => old.includes(name))).toEqual([]);
  expect(await known()).toMatchObject({ others: { "/srv/backups": old.length } });
  expect((await host.try(`gatehouse restore --to ${old[0]} --dry-run`)).text).toContain(
    `there is no backup ${old[0]} in the repository`,
  );
  const drilled = await host.try("gatehouse drill");
  expect(drilled.status, drilled.text).toBe(0);
  expect(await vault.sh("ls /srv/keeper")).toBe("files\npostgres");
  expect(await host.sh("find /srv/backups -type f | sort | sha256sum")).toBe(local);
  await allWell();
});

test("back to the folder and to SFTP again: results show the repository that they were read from, and when", async () => {
  const there = await names();
  const gone = await host.sh(
    "basename $(find /srv/backups/postgres/backup/main -maxdepth 1 -name '*D' | sort | head -1)",
  );
  const was = (await host.sh(`grep -l ${gone} /var/lib/gatehouse/repositories/*/*.json`)).replace(/^.*\/|\.json$/g, "");
  await host.sh(
    `su postgres -c 'cd / && pgbackrest --stanza=main --repo1-type=posix --repo1-path=/srv/backups/postgres --set=${gone} expire' >/dev/null`,
  );
  stack.settings.backup.repository = { path: "/srv/backups" };
  await stack.dropSecret("backupKey");
  const back = await stack.up();
  expect(back.status, back.text).toBe(0);
  expect((await host.try("gatehouse backups")).text).toMatch(/\d+ backups in \/srv\/backups, read \d+ s ago/);
  expect(await names()).not.toContain(was);
  expect((await names()).filter((name) => there.includes(name))).toEqual([]);
  const [first = ""] = await names();
  expect((await host.try(`gatehouse restore --to ${first} --dry-run`)).text).toContain(
    `folders are those of backup ${first}`,
  );
  stack.settings.backup.repository = keeper;
  await stack.setSecret("backupKey", opener.private);
  const again = await stack.up();
  expect(again.status, again.text).toBe(0);
  expect(await names()).toEqual(there);
  await allWell();
});

test("onto a new host: `up`, one command, and everything is restored", async () => {
  await note("on-the-host-that-goes");
  await host.sh(`echo saved >${UPLOADS}/moved && chown authentik: ${UPLOADS}/moved`);
  await backUp();
  await note("archived-a-moment-later");
  await sql("SELECT pg_switch_wal()");
  await host.sh("sleep 2");
  await host.destroy();
  labs.splice(labs.indexOf(host), 1);
  const fresh = await Lab.stocked("fresh", "2026.8.4");
  labs.push(fresh);
  // So that UIDs differ from those on the old host.
  await fresh.sh("for n in 1 2 3; do useradd --system filler$n; done");
  await reachable(fresh);
  await stack.setKey(fresh.key);
  stack.settings.host = { address: fresh.address, hostKey: fresh.hostKey };
  const { status, text } = await stack.up();
  expect(status, text).toBe(0);
  expect((await fresh.try("gatehouse status")).text).toContain("has the backups of another cluster");
  const restored = await fresh.try("gatehouse restore --to latest");
  expect(restored.status, restored.text).toBe(0);
  expect(await notes(fresh)).toContain("on-the-host-that-goes");
  expect(await notes(fresh)).toContain("archived-a-moment-later");
  expect(await fresh.sh(`cat ${UPLOADS}/moved`)).toBe("saved");
  expect(await fresh.stat(`${UPLOADS}/moved`)).toBe("644 authentik:authentik");
  expect(await sql("SELECT count(*) > 0 FROM load", "ledger", fresh)).toBe("t");
  await settled(fresh);
  await fresh.sh("gatehouse restore --confirm");
  await allWell(fresh);
  expect(Object.keys((await stack.up("--expect-no-changes")).counts)).toEqual(["unchanged"]);
  host = fresh;
});

test("without the component, and after a destroy, no backups are taken and existing ones remain", async () => {
  ({ recovery } = await stack.outputs());
  delete stack.settings.backup;
  await stack.dropSecret("backupKey");
  const { status, text } = await stack.up();
  expect(status, text).toBe(0);
  expect(Object.keys((await stack.up("--expect-no-changes")).counts)).toEqual(["unchanged"]);
  const destroyed = await stack.destroy();
  expect(destroyed.status, destroyed.text).toBe(0);
  expect(await vault.sh("find /srv/keeper/files /srv/keeper/postgres -type f | wc -l")).not.toBe("0");
  expect(await host.sh(`cat ${UPLOADS}/moved`), "data stay too").toBe("saved");
  expect(await host.sh(`test -f ${DATA}/PG_VERSION && echo there`)).toBe("there");
});

test("the passphrase of the repository outlives component, stack and state, until an operator deletes it by name", async () => {
  await stack.setSecret("backupKey", opener.private);
  stack.settings.backup = { repository: keeper };
  const back = await stack.up();
  expect(back.status, back.text).toBe(0);
  await settled();
  expect((await stack.outputs()).recovery, "the state generated another one").toEqual(recovery);
  const drilled = await host.try("gatehouse drill");
  expect(drilled.status, drilled.text).toBe(0);
  const place = recovery.repository;
  expect((await host.try(`gatehouse forget ${place} --for-ever`)).text).toContain("this host backs up to");
  const { backups } = await known();
  delete stack.settings.backup;
  await stack.dropSecret("backupKey");
  expect((await stack.up()).status).toBe(0);
  const asked = await host.try(`gatehouse forget ${place}`);
  expect(asked.status).toBe(1);
  for (const { name } of backups) expect(asked.text).toContain(name);
  await host.sh(`gatehouse forget ${place} --for-ever`);
  stack.settings.backup = { repository: keeper };
  await stack.setSecret("backupKey", opener.private);
  const refused = await stack.up();
  expect(refused.status).not.toBe(0);
  expect(refused.text).toContain(`the passphrase on this host does not open the repository of folders in ${place}`);
  expect(refused.text).not.toContain("Traceback");
  await stack.setSecret("backupPassphrase", recovery.passphrase);
  const given = await stack.up();
  expect(given.status, given.text).toBe(0);
  expect((await stack.outputs()).recovery).toEqual(recovery);
  expect((await known()).backups.map(({ name }: { name: string }) => name)).toEqual(
    expect.arrayContaining(backups.map(({ name }: { name: string }) => name)),
  );
  expect((await stack.destroy()).status).toBe(0);
});
