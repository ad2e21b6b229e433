// Another major version of PostgreSQL on the same host: refused while the data belongs to the old version, then
// upgraded with the commands of docs/backup-and-restore.md. The previous program is this one, with the PostgreSQL of
// Debian 12.
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, test as always, beforeAll, expect } from "vitest";
import { blocksOf, ROOT } from "../../documents/blocks.ts";
import { ask } from "../support/client.ts";
import { BACKED_UP, EXHAUSTIVE, Lab, run } from "../support/lab.ts";
import { Stack } from "../support/stack.ts";
import { touched, UNITS } from "../support/touched.ts";

// Two deployments and two upgrades, which rarely change, so only `make test-all` runs these tests.
const test = always.runIf(EXHAUSTIVE);

const UPGRADES = "docs/backup-and-restore.md";

const [BEFORE = "", UPGRADE = "", LOOK = "", DONE = "", BACK = ""] = blocksOf(UPGRADES)
  .filter(({ words }) => words.includes("upgrade"))
  .map(({ text }) => text);
const RUN_BY_15 = UNITS.map((unit) => unit.replace("@17", "@15"));
const SUM = "SELECT count(*) || ' ' || sum(hashtext(entry::text)) FROM entry";

const program = mkdtempSync(join(tmpdir(), "gatehouse-older-"));
let lab: Lab;
let before: Stack;
let now: Stack;
let sum: string;
let label: string;

beforeAll(async () => {
  lab = await Lab.stocked("upgrade", "2026.8.3");
  const { status, text } = await run(join(ROOT, "test/lab/older"), [lab.name]);
  expect(status, text).toBe(0);
  cpSync(ROOT, program, {
    recursive: true,
    filter: (path) => !/\/(\.git|\.state|node_modules|Pulumi\..*\.yaml)$/.test(path),
  });
  symlinkSync(join(ROOT, "node_modules"), join(program, "node_modules"));
  edit("components/distribution/debian.ts", '("debian", "13", 17)', '("debian", "13", 15)');
  edit("templates/etc/postgresql/pg_hba.conf.njk", "include_dir hba.d", ""); // PostgreSQL 15 does not support it
  const settings = {
    postgres: { databases: { ledger: { clients: ["auditor"] } } },
    backup: { repository: { path: "/srv/backups" } },
  };
  before = await Stack.create(lab, settings, { program });
  now = new Stack(lab, before.settings); // the same stack, with the program of this checkout
});
afterAll(async () => {
  await lab?.destroy();
  before?.remove();
  rmSync(program, { recursive: true });
});

function edit(path: string, from: string, to: string): void {
  const text = readFileSync(join(program, path), "utf8");
  expect(text).toContain(from);
  writeFileSync(join(program, path), text.replace(from, to));
}

const sql = (statement: string) => lab.sh(`cd / && su postgres -c "psql -XqAt -d ledger" <<'SQL'\n${statement}\nSQL`);
const types = async (block: string) => {
  const { status, text } = await lab.bash(`set -e\n${block}`);
  expect(status, `${block}\n${text}`).toBe(0);
  return text;
};
const settled = () => lab.awaits(BACKED_UP);
/** Names and kinds of all backups. */
const backups = async (): Promise<{ name: string; kind: string }[]> =>
  JSON.parse((await lab.try("gatehouse backups --json")).text).backups;
const answers = async () => (await ask(lab.address, "auth.lab.internal")).status;

test("a host with PostgreSQL 15, its data and its backups", async () => {
  const { status, text } = await before.up();
  expect(status, text).toBe(0);
  await settled();
  await sql(`CREATE TABLE entry (id int PRIMARY KEY, word text);
    INSERT INTO entry SELECT n, md5(n::text) FROM generate_series(1, 20000) n;
    ALTER TABLE entry OWNER TO ledger; GRANT SELECT ON entry TO auditor; ANALYZE entry`);
  sum = await sql(SUM);
  expect(await sql("SHOW server_version")).toMatch(/^15\./);
});

test("`up` for PostgreSQL 17 is refused with both clusters and the remedy, and nothing is installed or stopped", async () => {
  const { result, units } = await touched(lab, () => now.up(), RUN_BY_15);
  expect(result.status).not.toBe(0);
  expect(result.text).toContain("PostgreSQL's cluster on this host is 15/main, with port 5432");
  expect(result.text).toContain("This program runs 17/main");
  expect(result.text).toContain("pg_upgradecluster -v 17 15 main");
  expect(result.text).toContain(UPGRADES);
  expect(units).toEqual({});
  expect((await lab.try("dpkg-query --show postgresql-17")).status).not.toBe(0);
  expect(await lab.sh("pg_lsclusters --no-header | cut -d' ' -f1-2")).toBe("15 main");
  expect(await answers()).toBe(200);
});

test("the commands of the document copy the data, and others go back", async () => {
  await types(BEFORE);
  label = (await backups()).at(-1)?.name ?? "";
  await types(UPGRADE);
  expect(await sql("SHOW server_version")).toMatch(/^17\./);
  expect(await lab.stat("/etc/postgresql/17/main/hba.d"), "which 17 does not start without").toBe(
    "750 postgres:postgres",
  );
  await types(BACK);
  expect(await sql("SHOW server_version")).toMatch(/^15\./);
  expect(await sql(SUM)).toBe(sum);
  await lab.sh("systemctl start authentik-pod");
  const { status, text } = await before.up("--expect-no-changes");
  expect(status, text).toBe(0);
});

test("it is also refused beside an empty cluster created by the package, and the same commands upgrade", async () => {
  await lab.sh("pg_createcluster 17 main");
  const { result, units } = await touched(lab, () => now.up(), RUN_BY_15);
  expect(result.status).not.toBe(0);
  expect(result.text).toContain("pg_dropcluster --stop 17 main    # if it is the empty one");
  expect(units).toEqual({});
  await types(UPGRADE);
});

test("then `up` continues with it: all rows, roles and statistics exist, and the old cluster is kept", async () => {
  const { status, text } = await now.up();
  expect(status, text).toBe(0);
  expect(await sql("SHOW server_version")).toMatch(/^17\./);
  expect(await sql(SUM)).toBe(sum);
  expect(await sql("SELECT reltuples FROM pg_class WHERE relname = 'entry'")).toBe("20000");
  expect(await sql("SELECT count(*) FROM pg_stats WHERE tablename = 'entry'")).toBe("2");
  expect(await sql("SELECT has_table_privilege('auditor', 'entry', 'SELECT')")).toBe("t");
  expect(await sql("SHOW data_checksums")).toBe("on");
  expect(await answers()).toBe(200);
  expect(await lab.sh("pg_lsclusters --no-header | awk '{ print $1, $2, $3, $4 }'")).toBe(
    "15 main 5433 down\n17 main 5432 online",
  );
  await settled();
  expect(Object.keys((await now.up("--expect-no-changes")).counts)).toEqual(["unchanged"]);
});

test("the repository continues with the new cluster, from a full backup; the old backups are kept, for 15", async () => {
  expect((await backups()).map(({ kind }) => kind)).toEqual(["full", "full", "full"]);
  await types(LOOK);
  const running = await lab.units("InvocationID", UNITS);
  for (const how of ["", "--dry-run"]) {
    const refused = await lab.try(`gatehouse restore --to ${label} ${how}`);
    expect(refused.status).toBe(1);
    expect(refused.text).toMatch(/backup \S+ is of PostgreSQL 15, and this host has PostgreSQL 17/);
  }
  expect(await lab.units("InvocationID", UNITS)).toEqual(running);
  await sql("DELETE FROM entry");
  const restored = await lab.try(`gatehouse restore --to ${(await backups()).at(-1)?.name}`);
  expect(restored.status, restored.text).toBe(0);
  expect(await sql(SUM)).toBe(sum);
  await settled();
  await lab.sh("gatehouse restore --confirm");
});

test("as long as the old cluster exists, cluster and repository can go back and forward again", async () => {
  await lab.sh("systemctl stop authentik-pod");
  await types(BACK);
  const back = await before.up();
  expect(back.status, back.text).toBe(0);
  await settled();
  expect(await sql("SHOW server_version")).toMatch(/^15\./);
  expect(await sql(SUM)).toBe(sum);
  await types(BEFORE);
  await types(UPGRADE);
  const { status, text } = await now.up();
  expect(status, text).toBe(0);
  await settled();
  await types(LOOK);
  expect(await sql(SUM)).toBe(sum);
});

test("after the old cluster is dropped and the host rebooted, everything is healthy", async () => {
  await types(DONE);
  await lab.reboot();
  await expect.poll(answers, { timeout: 90_000, interval: 1000 }).toBe(200);
  expect(await lab.sh("pg_lsclusters --no-header | cut -d' ' -f1-2")).toBe("17 main");
  expect(await sql(SUM)).toBe(sum);
  expect(Object.keys((await now.up("--expect-no-changes")).counts)).toEqual(["unchanged"]);
});
