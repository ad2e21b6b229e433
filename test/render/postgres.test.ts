import { execFileSync, spawnSync } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, beforeEach, describe, expect, test } from "vitest";
import { arch } from "../../components/distribution/arch.ts";
import { debian } from "../../components/distribution/debian.ts";
import type { Distribution } from "../../components/distribution/distribution.ts";
import { theCluster } from "../../components/postgres/cluster.ts";
import { clusterManifest, postgresManifest, rolesOf } from "../../components/postgres/manifest.ts";
import { postgresSchema } from "../../components/postgres/schema.ts";
import { CASES } from "./cases.ts";
import { file, partsOfCase, values } from "./rendered.ts";

const CONFIG = "/etc/postgresql/17/main";
const lines = (text: string) => text.split("\n").filter((line) => line !== "");

describe("pg_hba.conf", () => {
  test("has one line for each database and its owner, and no catch-all: unlisted clients are refused", () => {
    expect(lines(file("full", `${CONFIG}/pg_hba.conf`))).toEqual([
      'local all "postgres" peer',
      'local "grafana" "grafana" peer',
      'local "wiki" "editors" scram-sha-256',
      'local "authentik" "authentik" peer',
      'local "/^.+_restored_[0-9]{14}$" gatehouse_loads peer map=gatehouse',
      "include_dir hba.d",
    ]);
  });

  test("lets only the superuser's account be the role that loads a database during a restore, beside the operator's own maps", () => {
    expect(lines(file("full", `${CONFIG}/gatehouse_ident.conf`))).toEqual([
      `include_if_exists "${CONFIG}/pg_ident.conf"`,
      'gatehouse "postgres" gatehouse_loads',
    ]);
    expect(file("full", `${CONFIG}/conf.d/gatehouse-restart.conf`)).toContain(
      `ident_file = '${CONFIG}/gatehouse_ident.conf'`,
    );
  });

  test.each(Object.keys(CASES))("of case %s trusts no client and has no host line: there is no TCP (M11)", (name) => {
    const hba = file(name, `${CONFIG}/pg_hba.conf`);
    expect(hba).not.toMatch(/\b(trust|password|md5|ident)\b/);
    expect(hba).not.toMatch(/^\s*host/m);
    expect(hba.match(/^local all/gm)).toEqual(["local all"]);
  });

  test("includes the lines of other stacks (H20), from an existing folder", () => {
    expect(file("full", `${CONFIG}/pg_hba.conf`)).toMatch(/^include_dir hba\.d$/m);
    expect(partsOfCase("full").postgres.directories).toEqual([
      { path: "/etc/postgresql", mode: "0755", owner: "root:root" },
      { path: "/etc/postgresql/17", mode: "0755", owner: "root:root" },
      { path: CONFIG, mode: "0755", owner: "root:root" },
      { path: `${CONFIG}/conf.d`, mode: "0750", owner: "root:postgres" },
      { path: `${CONFIG}/hba.d`, mode: "0750", owner: "root:postgres" },
    ]);
  });
});

describe("the socket", () => {
  test("is the only way in: nothing listens on TCP (M11)", () => {
    expect(lines(file("full", `${CONFIG}/conf.d/gatehouse-restart.conf`))).toContain("listen_addresses = ''");
  });

  test("is 0770, and gets its group from the setgid directory from the start (M2)", () => {
    expect(lines(file("full", `${CONFIG}/conf.d/gatehouse-restart.conf`))).toContain("unix_socket_permissions = 0770");
    expect(lines(file("full", "/etc/tmpfiles.d/postgresql-common.conf"))).toContain(
      "d /run/postgresql :3750 postgres postgres-clients - -",
    );
  });
});

type Names = Distribution["postgres"];

describe("the unit", () => {
  const dropIn = ({ unit }: Names, files: readonly { path: string; content: string }[] = []) =>
    files.find(({ path }) => path === `/etc/systemd/system/${unit}.d/gatehouse.conf`)?.content ?? "";
  const nothing = { settings: {}, databases: {}, roles: {} };
  const debianUnit = dropIn(debian.postgres, partsOfCase("full").postgres.files);

  test.each([
    ["debian", debian.postgres],
    ["arch", arch.postgres],
  ])("of %s opens the socket's folder while the server is up, and closes it before it stops", (_, names) => {
    const folder = (verb: string) =>
      `/usr/local/libexec/gatehouse/postgres-socket-folder ${verb} /run/postgresql postgres:postgres-clients`;
    const text = dropIn(names, postgresManifest(names, "postgres-clients", nothing).files);
    expect(values(text, "ExecStartPre")).toEqual([`+${folder("close")}`]);
    expect(values(text, "ExecStartPost")).toEqual([`+${folder("open")} .s.PGSQL.5432`]);
    expect(values(text, "ExecStop").slice(0, 2)).toEqual(["", `-+${folder("close")}`]);
    expect(values(text, "ExecStopPost")).toEqual([`+${folder("close")}`]);
  });

  test("runs the package's tools as PostgreSQL's user, with no capability to gain", () => {
    expect([values(debianUnit, "User"), values(debianUnit, "Group")]).toEqual([["postgres"], ["postgres"]]);
    expect(values(debianUnit, "CapabilityBoundingSet")).toEqual([""]);
    expect(values(debianUnit, "ExecStop")[2]).toContain("pg_ctlcluster --skip-systemctl-redirect -m fast %i stop");
  });

  const sandbox = (settings: object, writable: string[] = [], repository?: string) => {
    const given = { ...nothing, writable, ...settings };
    const { files = [], checks = [] } = postgresManifest(debian.postgres, "postgres-clients", given, repository);
    const text = files.map(({ path, content }) => (path.includes(".service.d/") ? content : "")).join("");
    return { files, checks, paths: values(text, "ReadWritePaths"), home: values(text, "ProtectHome") };
  };

  test("can write the data, the socket's folder, logs, the operator's folders and its archive; nothing else", () => {
    expect(sandbox({}).paths).toEqual([
      "/var/lib/postgresql/17/main -/run/postgresql",
      "-/var/log/postgresql",
      "-/var/log/pgbackrest",
      "-/var/spool/pgbackrest",
    ]);
    const more = sandbox({ settings: { log_directory: "/srv/log" } }, ["/srv/tables"], "/srv/backups/postgres").paths;
    for (const path of ["-/srv/log", "-/srv/tables", "-/srv/backups/postgres"]) expect(more).toContain(path);
  });

  test("cannot see home folders, except for those below which it has data", () => {
    expect(sandbox({}).home).toEqual(["true"]);
    expect(sandbox({}, ["/home/db/tables"]).home).toEqual(["read-only"]);
    expect(sandbox({}, [], "/home/db/backups/postgres").home).toEqual(["true", "read-only"]);
  });

  test("leaves the restart for a repository to the backup, which needs one anyway", () => {
    const found = sandbox({}, [], "/srv/backups/postgres").files.find(({ path }) =>
      path.endsWith("gatehouse-backup.conf"),
    );
    expect(found).toMatchObject({ content: expect.stringContaining("ReadWritePaths=-/srv/backups/postgres") });
    expect(found?.restarts).toBeUndefined();
  });

  describe("before it goes live", () => {
    const folder = mkdtempSync(join(tmpdir(), "tables-test-"));
    afterAll(() => rmSync(folder, { recursive: true }));
    const data = join(folder, "data");
    const elsewhere = join(folder, "elsewhere");
    mkdirSync(join(data, "pg_tblspc"), { recursive: true });
    mkdirSync(join(elsewhere, "wal"), { recursive: true });
    const judge = (...writable: string[]) => {
      const check = sandbox({}).checks.find(({ name }) => name === "PostgreSQL may write to all of its data");
      const [program = "", ...words] = check?.exec ?? [];
      return spawnSync(program, [...words.slice(0, 4), data, ...writable], { encoding: "utf8" });
    };

    test("a cluster with all its data in its folder passes", () => {
      expect(judge()).toMatchObject({ status: 0, stderr: "" });
    });

    test("a tablespace elsewhere, or WAL, is reported with the key to set", () => {
      symlinkSync(join(elsewhere, "tables"), join(data, "pg_tblspc/16390"));
      symlinkSync(join(elsewhere, "wal"), join(data, "pg_wal"));
      const { status, stderr } = judge("/srv/other");
      expect(status).toBe(1);
      for (const reported of [`${elsewhere}/tables`, `${elsewhere}/wal`, "postgres.writable"])
        expect(stderr).toContain(reported);
      expect(judge(`${elsewhere}/tables`).stderr).not.toContain("16390");
      expect(judge(elsewhere)).toMatchObject({ status: 0, stderr: "" });
      expect(judge(`${folder}/else`)).toMatchObject({ status: 1 });
    });
  });
});

describe("a change of a setting (M18, H22)", () => {
  const { files = [] } = partsOfCase("full").postgres;
  const effect = (name: string) => {
    const { restarts, reloads } = files.find(({ path }) => path.endsWith(name)) ?? {};
    return { restarts, reloads };
  };
  const unit = ["postgresql@17-main.service"];

  test("restarts the cluster's own unit for those that need it, and reloads for the others (H13)", () => {
    expect(effect("gatehouse-restart.conf")).toEqual({ restarts: unit, reloads: undefined });
    expect(effect("gatehouse-reload.conf")).toEqual({ restarts: undefined, reloads: unit });
    expect(effect("pg_hba.conf")).toEqual({ restarts: undefined, reloads: unit });
  });

  test.each([
    ["max_connections", "restart", "reload"],
    ["shared_preload_libraries", "restart", "reload"],
    ["pg_cron.database_name", "restart", "reload"],
    ["work_mem", "reload", "restart"],
    ["log_statement", "reload", "restart"],
  ])("%s is in the file whose change causes a %s", (setting, right, wrong) => {
    const line = new RegExp(`^${setting} = `, "m");
    expect(file("full", `${CONFIG}/conf.d/gatehouse-${right}.conf`)).toMatch(line);
    expect(file("full", `${CONFIG}/conf.d/gatehouse-${wrong}.conf`)).not.toMatch(line);
  });
});

describe("roles and databases", () => {
  const given = postgresSchema.parse({
    databases: { a: {}, b: { owner: "a" }, c: { owner: "d" } },
    roles: { d: { auth: "scram" }, e: { auth: "peer" } },
  });

  test("every owner is a role, once, before the roles that are only listed", () => {
    expect(rolesOf(given)).toEqual(["a", "d", "e"]);
  });

  test("are created if missing and never dropped, in UTF-8 from the empty template (H23)", () => {
    const sql = file("full", "/steps/roles-and-databases");
    expect(sql.match(/CREATE (ROLE|DATABASE)/g)).toHaveLength(7);
    expect(sql.match(/WHERE NOT EXISTS/g)).toHaveLength(7);
    expect(sql.match(/TEMPLATE template0 ENCODING ''UTF8''/g)).toHaveLength(3);
    expect(sql).not.toMatch(/DROP|DELETE|TRUNCATE/i);
  });

  test("only the owner may connect: PostgreSQL lets everybody in by default", () => {
    for (const name of ["grafana", "wiki", "authentik"])
      expect(file("full", "/steps/roles-and-databases")).toContain(`REVOKE ALL ON DATABASE "${name}" FROM PUBLIC;`);
  });

  test("a new owner gets a database with its contents, and nothing that the old one has elsewhere", () => {
    const step = postgresManifest(debian.postgres, "postgres-clients", given).steps?.find(
      ({ name }) => name === "owners of databases",
    );
    const [sh, options, script = "", , changes] = step?.exec ?? [];
    expect([sh, options]).toEqual(["sh", "-euc"]);
    execFileSync("sh", ["-n"], { input: script });
    expect(changes).toContain("(VALUES ('a', 'a'), ('b', 'a'), ('c', 'd'))");
    // The superuser's own database is queried with fixed settings, an application's with the server's settings.
    expect(script.match(/PGOPTIONS=-crole=none/g)).toHaveLength(2);
    expect(script.match(/PGOPTIONS=\$settings/g)).toHaveLength(2);
    expect(script.match(/--dbname=\$database/g)).toHaveLength(2);
  });

  test("no step reads owners if there is no database", () => {
    const none = postgresSchema.parse({});
    const names = postgresManifest(debian.postgres, "postgres-clients", none).steps?.map(({ name }) => name);
    expect(names).not.toContain("owners of databases");
  });

  test("no session is ended by settings of the cluster, a database or a role", () => {
    const options = postgresManifest(debian.postgres, "postgres-clients", given).probes?.[0]?.exec?.[1];
    for (const setting of [
      "role=none",
      "statement_timeout=0",
      "transaction_timeout=0",
      "idle_session_timeout=0",
      "idle_in_transaction_session_timeout=0",
      "default_transaction_read_only=off",
      "default_transaction_isolation=read\\ committed",
      "synchronous_commit=local",
    ])
      expect(options).toContain(`-c${setting}`);
  });

  test("passwords are in their own manifest, as verifiers, and in no log (H23)", () => {
    const open = JSON.stringify(partsOfCase("full").postgres);
    const sql = file("full", "/steps/passwords");
    expect(open).not.toMatch(/PASSWORD E'|SCRAM-SHA-256\$/);
    expect(lines(sql).slice(0, 3)).toEqual([
      "SET log_statement = 'none';",
      "SET log_min_error_statement = 'panic';",
      "SET log_min_duration_statement = -1;",
    ]);
    expect(lines(sql).slice(3)).toEqual([
      expect.stringMatching(/^ALTER ROLE "editors" PASSWORD E'SCRAM-SHA-256\$4096:/),
    ]);
    expect(sql).not.toContain("password of editors");
  });

  test("SQL runs as PostgreSQL's own user, stops at the first error and reads no file of that user", () => {
    const [step] = postgresManifest(debian.postgres, "postgres-clients", given).steps ?? [];
    expect(step?.user).toBe("postgres");
    expect(step?.exec).toEqual(expect.arrayContaining(["--no-psqlrc", "--set=ON_ERROR_STOP=1"]));
  });
});

describe("the check before anything goes live (H11)", () => {
  const [check] = partsOfCase("full").postgres.checks ?? [];

  test("starts a scratch server with the new files, as PostgreSQL's user and on no TCP port", () => {
    expect(check).toMatchObject({ tree: CONFIG, user: "postgres" });
    expect(check?.exec.join(" ")).toContain("--config-file={tree}/postgresql.conf");
    expect(check?.exec.join(" ")).toContain("-c hba_file={tree}/pg_hba.conf");
    expect(check?.exec).toContain("listen_addresses=");
  });

  test("affects neither the real data nor the real socket", () => {
    expect(check?.exec).toContain("data_directory={scratch}/data");
    expect(check?.exec).toContain("unix_socket_directories={scratch}");
    expect(check?.ready?.join(" ")).toContain("--host={scratch}");
  });
});

describe("the first cluster gets checksums, which cannot be enabled later without downtime", () => {
  test("through the package's settings, if the package creates it", () => {
    const { files } = clusterManifest(debian.postgres) ?? {};
    expect(files?.map(({ path, content }) => [path, content])).toEqual([
      ["/etc/postgresql-common/createcluster.d/gatehouse.conf", expect.stringContaining("--data-checksums")],
      ["/etc/postgresql-common/pg_upgradecluster.d/gatehouse", expect.stringContaining("cp -a")],
    ]);
    const make = theCluster(debian.postgres).at(-1);
    expect([make?.user, make?.exec.slice(5, 7)]).toEqual([undefined, [CONFIG, debian.postgres.data]]);
  });

  test("through initdb, as PostgreSQL's user, if nothing else creates it", () => {
    expect(clusterManifest(arch.postgres)).toBeUndefined();
    const steps = theCluster(arch.postgres);
    expect(steps).toMatchObject([
      { exec: expect.arrayContaining(["--owner=postgres", "/var/lib/postgres"]) },
      { user: "postgres", exec: expect.arrayContaining(["/var/lib/postgres/data"]) },
    ]);
    expect(steps[1]?.exec.join(" ")).toContain("--data-checksums");
  });
});

describe("that script", () => {
  const folder = mkdtempSync(join(tmpdir(), "cluster-test-"));
  const [config, data] = [join(folder, "config"), join(folder, "data")];
  afterAll(() => rmSync(folder, { recursive: true }));
  beforeEach(() => {
    for (const name of readdirSync(folder)) rmSync(join(folder, name), { recursive: true });
    // Creates the first and the last file that initdb creates, and exits before the last one if BROKEN is set.
    const initdb = `#!/bin/sh\nfor word; do case $word in --pgdata=*) at=\${word#*=};; esac; done
mkdir "$at" && touch "$at/PG_VERSION" && [ -z "$BROKEN" ] && echo "$@" >"$at/complete"\n`;
    writeFileSync(join(folder, "initdb"), initdb, { mode: 0o755 });
  });
  const make = (env = {}) => {
    const [, , , script = ""] = theCluster(arch.postgres)[1]?.exec ?? [];
    return spawnSync("sh", ["-eu", "-c", script, "sh", config, data, folder], {
      encoding: "utf8",
      env: { ...process.env, BROKEN: "", ...env },
    });
  };

  test("creates a cluster once, in an empty or missing folder", () => {
    mkdirSync(data);
    expect(make()).toMatchObject({ status: 0, stderr: "" });
    expect(readdirSync(folder).sort()).toEqual(["data", "initdb"]);
    expect(readFileSync(join(data, "complete"), "utf8")).toContain("--data-checksums --encoding=UTF8");
    writeFileSync(join(data, "complete"), "as it was");
    expect(make().status).toBe(0);
    expect(readFileSync(join(data, "complete"), "utf8")).toBe("as it was");
  });

  test("leaves no partial cluster if it is killed, and starts again", () => {
    expect(make({ BROKEN: "1" }).status).not.toBe(0);
    expect(readdirSync(folder)).not.toContain("data");
    expect(make().status).toBe(0);
    expect(readdirSync(data).sort()).toEqual(["PG_VERSION", "complete"]);
  });

  test("changes nothing if the folder contains something else", () => {
    mkdirSync(data);
    writeFileSync(join(data, "theirs"), "");
    expect(make()).toMatchObject({
      status: 1,
      stderr: expect.stringContaining("contains files that are not a PostgreSQL cluster"),
    });
    expect(readdirSync(data)).toEqual(["theirs"]);
  });

  test("creates no empty cluster if the data is unavailable", () => {
    mkdirSync(config);
    writeFileSync(join(config, "postgresql.conf"), "");
    expect(make()).toMatchObject({
      status: 1,
      stderr: expect.stringContaining("on a disk that is not mounted, mount it"),
    });
    expect(readdirSync(folder)).not.toContain("data");
  });
});

describe("the script for the package's tools", () => {
  const folder = mkdtempSync(join(tmpdir(), "cluster-test-"));
  const [config, data] = [join(folder, "99/main"), join(folder, "data")];
  const log = join(folder, "log");
  afterAll(() => rmSync(folder, { recursive: true }));
  beforeEach(() => {
    for (const name of readdirSync(folder)) rmSync(join(folder, name), { recursive: true });
    const tools = {
      pg_createcluster: `echo "pg_createcluster $@" >>${log}`,
      pg_conftool: `cat ${join(folder, "elsewhere")} 2>/dev/null || echo ${data}`,
      runuser: 'shift 3; exec "$@"',
      cp: `echo "cp $@" >>${log}`,
    };
    for (const [name, script] of Object.entries(tools))
      writeFileSync(join(folder, name), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
  });
  const make = () => {
    const [, , , script = ""] = theCluster(debian.postgres).at(-1)?.exec ?? [];
    const { status, stderr } = spawnSync("sh", ["-eu", "-c", script, "sh", config, data, "postgres"], {
      encoding: "utf8",
      env: { PATH: `${folder}:/usr/bin:/bin` },
    });
    return { status, stderr, did: existsSync(log) ? readFileSync(log, "utf8").trim().split("\n") : [] };
  };
  const created = `pg_createcluster --port=5432 --datadir=${data} --pgoption=add_include_dir=conf.d --pgoption=initdb_options=--data-checksums --encoding=UTF8 --locale=C.UTF-8 99 main`;
  const give = (path: string, text = "") => {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
  };

  test("creates a missing cluster, and nothing if it is complete", () => {
    expect(make()).toEqual({ status: 0, stderr: "", did: [created] });
    rmSync(log);
    give(join(config, "postgresql.conf"), "include_dir = 'conf.d'\n");
    give(join(data, "PG_VERSION"));
    expect(make()).toEqual({ status: 0, stderr: "", did: [] });
  });

  test.each([
    ["include_dir 'conf.d'", 0],
    [`  Include_Dir='${config}/conf.d/' # settings`, 0],
    ["#include_dir = 'conf.d'", 1],
    ["include_dir = 'other.d'", 1],
  ])("checks whether the cluster reads conf.d: %s", (line, status) => {
    give(join(config, "postgresql.conf"), `port = 5432\n${line}\n`);
    give(join(data, "PG_VERSION"));
    expect(make()).toEqual({
      status,
      stderr: status
        ? `${config}/postgresql.conf does not read the settings in ${config}/conf.d. On the host:\n  echo "include_dir = 'conf.d'" >>${config}/postgresql.conf    # then pulumi up again\n`
        : "",
      did: [],
    });
  });

  test("does not change a cluster whose data is elsewhere", () => {
    give(join(config, "postgresql.conf"), "include_dir = 'conf.d'\n");
    give(join(folder, "elsewhere"), join(folder, "moved"));
    give(join(folder, "moved/PG_VERSION"));
    expect(make()).toEqual({ status: 0, stderr: "", did: [] });
  });

  test("gives data without a configuration one, and keeps the data", () => {
    give(join(data, "PG_VERSION"));
    expect(make().did).toEqual([
      expect.stringMatching(/^cp --no-clobber .*postgresql\.conf\.sample/),
      expect.stringMatching(/pg_hba/),
      expect.stringMatching(/pg_ident/),
      created,
    ]);
  });

  test("creates no empty cluster if the data is unavailable, and reports how to create one", () => {
    give(join(config, "postgresql.conf"));
    expect(make()).toMatchObject({
      status: 1,
      stderr: expect.stringMatching(/on a disk that is not mounted[\s\S]*pg_dropcluster 99 main/),
      did: [],
    });
  });
});

describe("the package of another major version, which would create an empty cluster beside the data", () => {
  const { checks: [check] = [], files = [] } = clusterManifest(debian.postgres) ?? {};
  const folder = mkdtempSync(join(tmpdir(), "clusters-test-"));
  afterAll(() => rmSync(folder, { recursive: true }));
  const judge = (...clusters: string[]) => {
    const list = clusters.map((line) => `echo '${line}'\n`).join("");
    writeFileSync(join(folder, "pg_lsclusters"), `#!/bin/sh\n${list}`, { mode: 0o755 });
    // A major version that no machine has installed.
    return spawnSync("sh", ["-eu", "-c", check?.exec[3] ?? "", "sh", "/etc/postgresql/99/main"], {
      encoding: "utf8",
      env: { PATH: `${folder}:/bin` },
    });
  };
  const cluster = (major: number, name: string, port: number) =>
    `${major} ${name} ${port} online postgres /var/lib/postgresql/${major}/${name} /var/log/postgresql/x.log`;

  test("has a check before that package, whose tree changes with the major version", () => {
    expect(check?.exec.at(-1)).toBe(CONFIG);
    const [defaults] = files.filter(({ path }) => path.startsWith(`${check?.tree}/`));
    expect(defaults?.content).toContain(debian.postgres.data);
  });

  test.each([
    ["no cluster at all", []],
    ["its own", [cluster(99, "main", 5432)]],
    ["its own, with the data elsewhere", ["99 main 5432 online postgres /srv/pg /var/log/x"]],
    ["its own, and the one that was upgraded", [cluster(15, "main", 5433), cluster(99, "main", 5432)]],
  ])("is accepted on a host with %s", (_, clusters) => {
    expect(judge(...clusters)).toMatchObject({ status: 0, stdout: "", stderr: "" });
  });

  test("is refused beside another cluster with the port, with both clusters and the commands", () => {
    const { status, stdout } = judge(cluster(15, "main", 5432), cluster(99, "main", 5433));
    expect(status).toBe(1);
    expect(
      stdout,
    ).toBe(`PostgreSQL's cluster on this host is 15/main, with port 5432 and its data in /var/lib/postgresql/15/main.
This program runs 99/main, which would be an empty one. On the host, with everything that uses PostgreSQL stopped:
  pg_upgradecluster -v 99 15 main    # keeps 15/main; needs the package postgresql-99
and then pulumi up again. All steps, and how to undo them: docs/backup-and-restore.md, Upgrades.
If its data is no longer needed: pg_dropcluster --stop 15 main
`);
  });

  test("is refused beside one of the same major version with another name, with the command to rename it", () => {
    expect(judge(cluster(99, "site", 5432))).toMatchObject({
      status: 1,
      stdout: expect.stringContaining("  pg_renamecluster 99 site main\n"),
    });
  });

  test("is accepted on a host without the tools for clusters", () => {
    const nowhere = { PATH: "/nowhere" };
    expect(spawnSync("/bin/sh", check?.exec.slice(1), { env: nowhere })).toMatchObject({ status: 0 });
  });

  test("is refused if the clusters cannot be listed", () => {
    expect(judge("x'; exit 3 #").status).toBe(3);
  });
});

describe("the package's settings file for new clusters", () => {
  const [, check] = clusterManifest(debian.postgres)?.checks ?? [];
  const folder = mkdtempSync(join(tmpdir(), "defaults-test-"));
  const conf = join(folder, "createcluster.conf");
  afterAll(() => rmSync(folder, { recursive: true }));
  beforeEach(() => {
    for (const name of readdirSync(folder)) rmSync(join(folder, name), { recursive: true });
  });
  const judge = () => {
    const args = [join(folder, "postgres"), join(folder, "clusters"), join(folder, "createcluster.d")];
    return spawnSync("sh", ["-eu", "-c", check?.exec[3] ?? "", "sh", ...args], { encoding: "utf8" });
  };

  test("is checked where the distribution has it", () => {
    expect(check?.exec.slice(-3)).toEqual([
      "/usr/lib/postgresql/17/bin/postgres",
      "/etc/postgresql",
      "/etc/postgresql-common/createcluster.d",
    ]);
  });

  test("may be missing: the package contains it", () => {
    expect(judge()).toMatchObject({ status: 0, stdout: "" });
  });

  test.each([
    "include_dir '/here/createcluster.d'",
    "include_dir = 'createcluster.d/'  # ours",
    "create_main_cluster = false",
    "create_main_cluster off",
    "CREATE_MAIN_CLUSTER='no' # never",
  ])("is accepted with %s", (line) => {
    writeFileSync(conf, `ssl = on\n${line.replace("/here", folder)}\n`);
    expect(judge()).toMatchObject({ status: 0, stdout: "" });
  });

  test.each([
    "ssl = on",
    "#include_dir '/here/createcluster.d'",
    "create_main_cluster = true",
    "include_dir 'other.d'",
  ])("is refused with %s, with the line that it needs", (line) => {
    writeFileSync(conf, `${line.replace("/here", folder)}\n`);
    expect(judge()).toMatchObject({
      status: 1,
      stdout: expect.stringContaining(
        `  echo "include_dir '${folder}/createcluster.d'" >>${conf}    # then pulumi up again\n`,
      ),
    });
  });

  test.each(["postgres", "clusters/17/main/postgresql.conf"])(
    "is ignored if the package creates no cluster, because there is %s",
    (path) => {
      writeFileSync(conf, "ssl = on\n");
      mkdirSync(dirname(join(folder, path)), { recursive: true });
      writeFileSync(join(folder, path), "");
      expect(judge()).toMatchObject({ status: 0, stdout: "" });
    },
  );
});

describe("a distribution that may install another major version in any upgrade", () => {
  const check = postgresManifest(arch.postgres, "postgres-clients", { settings: {}, databases: {}, roles: {} })
    .checks?.[0];
  const folder = mkdtempSync(join(tmpdir(), "major-test-"));
  afterAll(() => rmSync(folder, { recursive: true }));
  const judge = (made: string, installed: string) => {
    writeFileSync(join(folder, "PG_VERSION"), `${made}\n`);
    writeFileSync(join(folder, "postgres"), `#!/bin/sh\necho "postgres (PostgreSQL) ${installed}"\n`, { mode: 0o755 });
    return spawnSync("sh", ["-eu", "-c", check?.exec[3] ?? "", "sh", folder, folder], { encoding: "utf8" });
  };

  test("has a check before every change that could restart PostgreSQL", () => {
    expect(check).toMatchObject({ tree: arch.postgres.config, user: "postgres" });
    expect(check?.exec.slice(-2)).toEqual(["/var/lib/postgres/data", "/usr/bin"]);
  });

  test.each([
    ["17", "17.12"],
    ["18", "18.0 (Arch)"],
    ["18", "18beta1"],
  ])("data of %s and PostgreSQL %s match", (made, installed) => {
    expect(judge(made, installed)).toMatchObject({ status: 0, stderr: "" });
  });

  test.each([
    ["17", "18.1"],
    ["18", "17.12"],
  ])("data of %s and PostgreSQL %s do not, with both versions and the remedy", (made, installed) => {
    const major = installed.split(".")[0];
    expect(judge(made, installed)).toMatchObject({
      status: 1,
      stderr: `The data in ${folder} were created by PostgreSQL ${made}, which the installed PostgreSQL ${major} cannot read.
Upgrade the data with pg_upgrade, or install PostgreSQL ${made} again; then run pulumi up.\n`,
    });
  });
});

test("the configuration of a cluster by initdb is separate from the data, and completely written", () => {
  const { files = [], units } = postgresManifest(arch.postgres, "postgres-clients", {
    settings: {},
    databases: {},
    roles: {},
  });
  const paths = files.map(({ path }) => path);
  expect(paths).toContain("/etc/postgresql/postgresql.conf");
  expect(paths.filter((path) => path.startsWith("/var/lib"))).toEqual([]);
  expect(units).toEqual([{ name: "postgresql.service", enabled: true }]);
});

test("health is an answer on the socket, because Debian's unit ignores whether the start succeeded (H13)", () => {
  const { probes = [] } = partsOfCase("full").postgres;
  expect(probes).toHaveLength(1);
  expect(probes[0]).toMatchObject({
    user: "postgres",
    exec: expect.arrayContaining(["--host=/run/postgresql", "SELECT 1"]),
  });
});
