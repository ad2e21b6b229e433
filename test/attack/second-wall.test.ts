// The second line of defence: an attacker already runs code inside PostgreSQL, Caddy or a unit of gatehouse. Tests also
// show its limits.
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ask } from "../e2e/support/client.ts";
import type { Ran } from "../e2e/support/lab.ts";
import { Attacked } from "./support/host.ts";

const CANARY = "/root/canary-of-the-wall";

let host: Attacked;
beforeAll(async () => {
  host = await Attacked.host();
  await host.lab.sh(`echo untouched >${CANARY} && chmod 600 ${CANARY}`);
});
afterAll(() => host.lab.sh(`rm -f ${CANARY} /var/lib/postgresql/by-hand /tmp/by-hand`));

/** Runs a shell command as PostgreSQL's superuser and returns both streams, as any code that becomes superuser can. */
const inPostgres = (command: string): Promise<string> =>
  host.operator(
    `CREATE TEMP TABLE said (line text); COPY said FROM PROGRAM $c$(${command}) 2>&1; true$c$ (FORMAT csv, DELIMITER E'\\x01', QUOTE E'\\x02'); SELECT line FROM said;`,
  );

/** Runs a shell command in place of the program of a gatehouse unit, with all settings of its unit file. */
async function inUnit(unit: string, command: string): Promise<Ran> {
  const folder = `/run/systemd/system/${unit}.d`;
  const words = command.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("%", "%%").replaceAll("$", "$$$$");
  await host.lab.sh(
    `mkdir -p ${folder} && cat >${folder}/zz-attack.conf <<'UNIT'\n[Service]\nExecStart=\nExecStart=/bin/sh -c "${words}"\nUNIT\nsystemctl daemon-reload`,
  );
  try {
    return await host.lab.try(
      `since=$(date +%s); systemctl restart ${unit}; status=$?; journalctl --sync; journalctl -u ${unit} --since @$since --output=cat; exit $status`,
    );
  } finally {
    await host.lab.sh(`rm -r ${folder} && systemctl daemon-reload; systemctl reset-failed ${unit} || true`);
  }
}

describe("code that runs as PostgreSQL's superuser (holes 1 and 4, without the first wall)", () => {
  test("runs as the server, and can write the server's own folders", async () => {
    expect(await inPostgres("id -un")).toBe("postgres");
    expect(
      await inPostgres("touch /var/lib/postgresql/17/main/by-hand && rm /var/lib/postgresql/17/main/by-hand"),
    ).toBe("");
  });

  test.each([
    "/var/lib/postgresql/by-hand",
    "/var/lib/postgresql/17/by-hand",
    "/var/lib/postgresql/17/main.drill.server",
    "/etc/postgresql/17/main/by-hand",
    "/usr/local/bin/by-hand",
    "/etc/by-hand",
    "/var/tmp/../lib/by-hand",
    "/run/by-hand",
    "/dev/../run/lock/by-hand",
    "/srv/by-hand",
  ])("creates nothing at %s (hole 2)", async (path) => {
    expect(await inPostgres(`mkdir ${path}`)).toMatch(/Read-only file system/);
  });

  test("could outside the unit, as the same account: the sandbox prevents it", async () => {
    expect(await host.as("postgres", "touch /var/lib/postgresql/by-hand /tmp/by-hand")).toMatchObject({ status: 0 });
  });

  test("cannot move a folder of the configuration away (hole 2c)", async () => {
    expect(await inPostgres("mv /etc/postgresql/17/main/hba.d /etc/postgresql/17/main/x")).toMatch(
      /Read-only file system/,
    );
  });

  test("has its own /tmp, and does not see the host's (hole 2d)", async () => {
    await host.lab.sh("mkdir -p /tmp/gatehouse-somebody && chmod 777 /tmp/gatehouse-somebody");
    expect(await inPostgres("touch /tmp/planted; ls -d /tmp/gatehouse-* /tmp/by-hand")).toMatch(/No such file/);
    expect(await host.lab.sh("ls -d /tmp/planted 2>/dev/null || true; rmdir /tmp/gatehouse-somebody")).toBe("");
  });

  test("gains nothing: no capability, no set-UID program, no namespace, no process of another account", async () => {
    const status = await inPostgres("cat /proc/self/status");
    expect(status).toMatch(/^CapBnd:\s*0+$/m);
    expect(status).toMatch(/^NoNewPrivs:\s*1$/m);
    expect(status).toMatch(/^Seccomp:\s*2$/m);
    expect(await inPostgres("su -c id root </dev/null")).not.toContain("uid=0");
    expect(await inPostgres("unshare --user --map-root-user id")).toMatch(/not permitted/);
    expect(await inPostgres("unshare --mount id")).toMatch(/not permitted/);
    expect(await inPostgres("mount -o remount,rw /usr")).not.toBe("");
    expect(await inPostgres("cat /proc/1/status")).toMatch(/No such file/);
    expect(await inPostgres("ls /root /home/*")).toMatch(/Permission denied|cannot access/);
  });

  test("cannot run a program that it has written", async () => {
    const there = "/var/lib/postgresql/17/main/own";
    expect(await inPostgres(`cp /usr/bin/id ${there} && ${there}; rm ${there}`)).toMatch(/Permission denied/);
    expect(await inPostgres(`cp /usr/bin/id /tmp/own && /tmp/own`)).toMatch(/Permission denied/);
    expect(await inPostgres(`cp /usr/bin/id /dev/shm/own && /dev/shm/own; rm /dev/shm/own`)).toMatch(
      /Permission denied/,
    );
  });

  test("this wall does not protect: every database, and the passphrase of the backups", async () => {
    expect(await inPostgres("cat /etc/pgbackrest/pgbackrest.conf")).toMatch(/^repo1-cipher-pass=\w+/m);
    expect(await host.operator("SELECT count(*) > 0 FROM pg_authid WHERE rolsuper")).toBe("t");
  });

  test("meanwhile queries are compiled, WAL is archived, and clients get their data", async () => {
    expect(
      await host.operator(
        "SET jit_above_cost = 0; SET jit_inline_above_cost = 0; SET jit_optimize_above_cost = 0; EXPLAIN (ANALYZE, FORMAT json) SELECT sum(n * n) FROM generate_series(1, 1000) n",
      ),
    ).toMatch(/"JIT"|Plan/);
    expect(
      await host.operator(
        "SET min_parallel_table_scan_size = 0; SET parallel_setup_cost = 0; SELECT count(*) > 100 FROM pg_proc",
      ),
    ).toBe("t");
    const before = await host.operator("SELECT archived_count FROM pg_stat_archiver");
    await host.operator("SELECT pg_switch_wal()");
    await host.operator("CREATE TABLE IF NOT EXISTS walled (n int); DROP TABLE walled; SELECT pg_switch_wal()");
    await expect
      .poll(() => host.operator(`SELECT archived_count > ${before} FROM pg_stat_archiver`), { timeout: 30_000 })
      .toBe("t");
    expect(await host.sql("victim", "select current_user")).toContain("victim");
  });
});

describe("code inside Caddy", () => {
  /** Runs Python with Caddy's view of the host, as its user. */
  const inCaddy = (program: string) =>
    host.lab.sh(`pid=$(systemctl show -P MainPID caddy); python3 - $pid <<'PROGRAM'
import os, pwd, sys
os.setns(os.open(f"/proc/{sys.argv[1]}/ns/mnt", 0), 0)
user = pwd.getpwnam("caddy")
os.setgroups([]); os.setgid(user.pw_gid); os.setuid(user.pw_uid)
${program}
PROGRAM`);
  const make = (path: string) => `
try: os.mkdir("${path}"); os.rmdir("${path}"); print("made")
except OSError as error: print(error.strerror)
try: os.execv("/usr/bin/id", ["id"])
except OSError as error: print(error.strerror)`;

  test("can write certificates and logs, and nothing else; it starts no program", async () => {
    for (const path of ["/var/lib/caddy/x", "/var/log/caddy/x"])
      expect(await inCaddy(make(path))).toBe("made\nPermission denied");
    for (const path of ["/var/lib/x", "/etc/caddy/x", "/var/tmp/../lib/x", "/srv/x", "/dev/shm/../../run/x"])
      expect(await inCaddy(make(path))).toBe("Read-only file system\nPermission denied");
  });

  test("has the capability for its port and gains no other", async () => {
    const status = await host.lab.sh("cat /proc/$(systemctl show -P MainPID caddy)/status");
    expect(status).toMatch(/^CapBnd:\s*0+400$/m);
    expect(status).toMatch(/^NoNewPrivs:\s*1$/m);
    expect(status).toMatch(/^Seccomp:\s*2$/m);
  });

  test("meanwhile it serves requests and reloads", async () => {
    await host.lab.sh("systemctl reload caddy");
    const ready = () =>
      ask(host.lab.address, "auth.lab.internal", "/-/health/ready/").then(
        ({ status }) => status,
        () => 0,
      );
    await expect.poll(ready, { timeout: 30_000 }).toBe(200);
  });
});

describe("root that is misled", () => {
  test("writes no program, no configuration and no home in the drill and the backup (holes 2a, 2b and 9)", async () => {
    for (const unit of ["gatehouse-backup.service", "gatehouse-drill.service"]) {
      await host.lab.sh("ln -sfn /usr/local/bin /var/lib/postgresql/led");
      const { text } = await inUnit(
        unit,
        `chown postgres /var/lib/postgresql/led/; touch /usr/local/bin/x /etc/x /root/x ${CANARY} /boot/x /opt/x; mknod /var/lib/dev b 7 0; echo done`,
      );
      expect(text.match(/Read-only file system/g)?.length, text).toBe(7);
      expect(text).toMatch(/mknod.*not permitted/);
      await host.lab.sh("rm /var/lib/postgresql/led");
    }
    expect(await host.lab.stat("/usr/local/bin")).toBe("755 root:root");
  });

  test("this wall does not protect the data below /var/lib", async () => {
    const { text } = await inUnit(
      "gatehouse-drill.service",
      "touch /var/lib/by-root && rm /var/lib/by-root && echo done",
    );
    expect(text).toContain("done");
  });

  test("valkey-socket-fix, as a shell that follows symlinks, changes only Valkey's folder (hole 6)", async () => {
    for (const target of [CANARY, "/etc/passwd", "/usr/local/bin", "/var/lib/valkey", "/run/postgresql"]) {
      const before = await host.lab.stat(target);
      await host.lab.sh(`cd /run/valkey && mv valkey.sock real && ln -s ${target} valkey.sock`);
      const led = await inUnit(
        "valkey-socket-fix.service",
        "chgrp valkey-clients /run/valkey/valkey.sock; chmod 0770 /run/valkey/valkey.sock; echo done",
      );
      expect(led.text).toMatch(/Read-only file system|No such file|Permission denied/);
      expect(await host.lab.stat(target)).toBe(before);
      await host.lab.sh(
        "cd /run/valkey && rm -f valkey.sock && mv real valkey.sock && systemctl restart valkey-socket-fix",
      );
    }
    expect(await host.lab.stat("/run/valkey/valkey.sock")).toBe("770 valkey:valkey-clients");
  });

  test("the backup and the drill work in their sandboxes", async () => {
    await host.lab.sh("systemctl start gatehouse-backup.service && systemctl start gatehouse-drill.service");
    expect(await host.lab.sh("gatehouse verify")).toContain("in sync");
  });
});
