import { describe, expect, test } from "vitest";
import { debian } from "../../components/host/platforms/debian.ts";
import { postgresSchema } from "../../components/postgres/schema.ts";
import { postgresManifest, rolesOf } from "../../components/postgres/views.ts";
import { CASES } from "./cases.ts";
import { file, partsOfCase } from "./rendered.ts";

const CONFIG = "/etc/postgresql/17/main";
const lines = (text: string) => text.split("\n").filter((line) => line !== "");

describe("pg_hba.conf", () => {
  test("lists one line for each database and its owner, and no catch-all: who is not listed is refused", () => {
    expect(lines(file("full", `${CONFIG}/pg_hba.conf`))).toEqual([
      'local all "postgres" peer',
      'local "grafana" "grafana" peer',
      'local "wiki" "editors" scram-sha-256',
      'local "authentik" "authentik" peer',
      "include_dir hba.d",
    ]);
  });

  test.each(Object.keys(CASES))("of case %s trusts nobody and knows no host line: there is no TCP (M11)", (name) => {
    const hba = file(name, `${CONFIG}/pg_hba.conf`);
    expect(hba).not.toMatch(/\b(trust|password|md5|ident)\b/);
    expect(hba).not.toMatch(/^\s*host/m);
    expect(hba.match(/^local all/gm)).toEqual(["local all"]);
  });

  test("takes in what other stacks add (H20), from a folder that is there", () => {
    expect(file("full", `${CONFIG}/pg_hba.conf`)).toMatch(/^include_dir hba\.d$/m);
    expect(partsOfCase("full").postgres.directories).toEqual([
      { path: `${CONFIG}/hba.d`, mode: "0750", owner: "postgres:postgres" },
    ]);
  });
});

describe("the socket", () => {
  test("is the only way in: nothing listens on TCP (M11)", () => {
    expect(lines(file("full", `${CONFIG}/conf.d/gatehouse-restart.conf`))).toContain("listen_addresses = ''");
  });

  test("is 0770, and gets its group from the setgid directory, from the first instant (M2)", () => {
    expect(lines(file("full", `${CONFIG}/conf.d/gatehouse-restart.conf`))).toContain("unix_socket_permissions = 0770");
    expect(lines(file("full", "/etc/tmpfiles.d/postgresql-common.conf"))[0]).toBe(
      "d /run/postgresql 2770 postgres postgres-clients - -",
    );
  });
});

describe("what a change of a setting does (M18, H22)", () => {
  const { files = [] } = partsOfCase("full").postgres;
  const effect = (name: string) => {
    const { restarts, reloads } = files.find(({ path }) => path.endsWith(name)) ?? {};
    return { restarts, reloads };
  };
  const unit = ["postgresql@17-main.service"];

  test("is a restart of the cluster's own unit for those that need one, and a reload for the others (H13)", () => {
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
  ])("%s stands in the file whose change means a %s", (setting, right, wrong) => {
    const line = new RegExp(`^${setting} = `, "m");
    expect(file("full", `${CONFIG}/conf.d/gatehouse-${right}.conf`)).toMatch(line);
    expect(file("full", `${CONFIG}/conf.d/gatehouse-${wrong}.conf`)).not.toMatch(line);
  });
});

describe("roles and databases", () => {
  const wishes = postgresSchema.parse({
    databases: { a: {}, b: { owner: "a" }, c: { owner: "d" } },
    roles: { d: { auth: "scram" }, e: { auth: "peer" } },
  });

  test("every owner is a role, each once, before the roles that are only listed", () => {
    expect(rolesOf(wishes)).toEqual(["a", "d", "e"]);
  });

  test("are made when missing and never dropped, in UTF-8 from the empty template (H23)", () => {
    const sql = file("full", "/steps/roles-and-databases");
    expect(sql.match(/CREATE (ROLE|DATABASE)/g)).toHaveLength(7);
    expect(sql.match(/WHERE NOT EXISTS/g)).toHaveLength(7);
    expect(sql.match(/TEMPLATE template0 ENCODING ''UTF8''/g)).toHaveLength(3);
    expect(sql).not.toMatch(/DROP|DELETE|TRUNCATE/i);
  });

  test("nobody but the owner may connect: PostgreSQL lets all in by default", () => {
    for (const name of ["grafana", "wiki", "authentik"])
      expect(file("full", "/steps/roles-and-databases")).toContain(`REVOKE ALL ON DATABASE "${name}" FROM PUBLIC;`);
  });

  test("passwords are in a manifest of their own, as verifiers, and reach no log (H23)", () => {
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

  test("SQL runs as PostgreSQL's own user, stops at the first error and reads no file of that user's", () => {
    const [step] = postgresManifest(debian.postgres, "postgres-clients", wishes).steps ?? [];
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

  test("touches neither the real data nor the real socket", () => {
    expect(check?.exec).toContain("data_directory={scratch}/data");
    expect(check?.exec).toContain("unix_socket_directories={scratch}");
    expect(check?.ready?.join(" ")).toContain("--host={scratch}");
  });
});

test("the cluster gets checksums, which cannot be switched on later without a stop", () => {
  expect(file("full", debian.postgres.clusterDefaults)).toContain("--data-checksums");
});

test("health is an answer on the socket, since Debian's unit ignores how the start went (H13)", () => {
  const { probes = [] } = partsOfCase("full").postgres;
  expect(probes).toHaveLength(1);
  expect(probes[0]).toMatchObject({
    user: "postgres",
    exec: expect.arrayContaining(["--host=/run/postgresql", "SELECT 1"]),
  });
});
