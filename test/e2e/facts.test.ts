// The state of the host after an `up`: mission rows M1 to M13.

import { pbkdf2Sync } from "node:crypto";
import { beforeAll, describe, expect, inject, test } from "vitest";
import { OWN_SETTINGS, RESTART_SETTINGS, RESTART_SETTINGS_OF_18 } from "../../components/postgres/settings.ts";
import { ask } from "./support/client.ts";
import { IMAGE, Lab, run } from "./support/lab.ts";
import { distribution, POSTGRES, VALKEY } from "./support/platform.ts";
import { Stack } from "./support/stack.ts";

const PG = "/run/postgresql";
const VK = "/run/valkey";
/** Has one generation: other files rotate it. */
const SECRETS = "/var/lib/gatehouse/secrets/authentik-secrets";
let lab: Lab;
let stack: Stack;
// biome-ignore lint/suspicious/noExplicitAny: the test checks the shape of the outputs
let platform: any;

beforeAll(async () => {
  lab = await Lab.at(inject("host"));
  stack = new Stack(lab);
  ({ platform } = await stack.outputs());
});

test("the first `up` succeeds and creates everything", () => {
  const { status, text, counts } = inject("firstUp");
  expect(text).not.toContain("error:");
  expect(status).toBe(0);
  expect(counts.created).toBeGreaterThan(30);
});

describe("groups and sockets", () => {
  test("M1: the GIDs in the outputs are those of the groups on the host", async () => {
    expect(platform.groups.postgres).toEqual({ name: "postgres-clients", gid: await lab.gid("postgres-clients") });
    expect(platform.groups.valkey).toEqual({ name: "valkey-clients", gid: await lab.gid("valkey-clients") });
  });

  test("M2: the socket directories are 0770, setgid, with the client groups", async () => {
    expect(await lab.stat(PG)).toBe("3770 postgres:postgres-clients");
    expect(await lab.stat(VK)).toBe("3770 valkey:valkey-clients");
  });

  test("the sockets are 0770 with the client groups", async () => {
    expect(await lab.stat(`${PG}/.s.PGSQL.5432`)).toBe("770 postgres:postgres-clients");
    expect(await lab.stat(`${VK}/valkey.sock`)).toBe("770 valkey:valkey-clients");
  });

  test("M3: the socket-fix service has checked the socket, and repairs it at each start of Valkey", async () => {
    expect(await lab.sh("systemctl is-active valkey-socket-fix")).toBe("active");
    await lab.sh(`chgrp root ${VK}/valkey.sock && chmod 600 ${VK}/valkey.sock && systemctl restart valkey-socket-fix`);
    expect(await lab.stat(`${VK}/valkey.sock`)).toBe("770 valkey:valkey-clients");
    expect(await lab.sh("journalctl -u valkey-socket-fix -o cat | grep 'was 600 root'")).toContain(
      "set to 770 valkey-clients",
    );
  });
});

describe("authentik", () => {
  const groupsOf = async (mode: string) => {
    const status = await lab.sh(`cat /proc/$(pgrep -f '^/usr/bin/python3 /lifecycle/ak ${mode}')/status`);
    const line = (name: string) =>
      (new RegExp(`^${name}:\\s*(.*)$`, "m").exec(status)?.[1] ?? "").trim().split(/\s+/).map(Number);
    return { uid: line("Uid"), gid: line("Gid"), groups: line("Groups") };
  };

  test("M4: its account is a system account in both client groups, without subordinate ids, lingering or a login", async () => {
    expect((await lab.sh("id -Gn authentik")).split(" ").sort()).toEqual([
      "authentik",
      "postgres-clients",
      "valkey-clients",
    ]);
    expect(platform.authentik.uid).toBeLessThan(1000);
    expect(await lab.sh("getent passwd authentik | cut -d: -f7")).toBe("/usr/sbin/nologin");
    expect((await lab.try("grep -h authentik /etc/subuid /etc/subgid")).text).toBe("");
    expect((await lab.try("ls /var/lib/systemd/linger/authentik")).status).not.toBe(0);
    expect((await lab.try("systemctl is-active user@$(id -u authentik)")).text.trim()).toBe("inactive");
  });

  test.each(["server", "worker"])(
    "M6, M8: the %s runs as its account, with its own group and the two client groups",
    async (mode) => {
      const { uid, gid } = platform.authentik;
      const clients = [platform.groups.postgres.gid, platform.groups.valkey.gid];
      const found = await groupsOf(mode);
      expect(new Set(found.uid)).toEqual(new Set([uid]));
      expect(new Set(found.gid)).toEqual(new Set([gid]));
      expect(found.groups.sort()).toEqual([gid, ...clients].sort());
    },
  );

  test.each(["server", "worker"])(
    "M4: the %s has no user namespace, no capability, and only its own folders and the check of its start",
    async (role) => {
      const pid = await lab.sh(`podman inspect -f '{{.State.Pid}}' authentik-${role}`);
      expect(await lab.sh(`cat /proc/${pid}/uid_map`)).toMatch(/^0\s+0\s+4294967295$/);
      expect(await lab.sh(`grep CapEff /proc/${pid}/status`)).toMatch(/0{16}$/);
      const mounts = await lab.sh(`podman inspect -f '{{range .Mounts}}{{.Source}} {{end}}' authentik-${role}`);
      expect(mounts.trim().split(" ").sort()).toEqual(
        [
          "/run/postgresql",
          "/run/valkey",
          "/usr/local/libexec/gatehouse/authentik-startup",
          "/var/lib/authentik/certs",
          "/var/lib/authentik/data",
          "/var/lib/authentik/templates",
          await lab.sh(`ls -d ${SECRETS}/*`),
        ].sort(),
      );
    },
  );

  test("M5: the pod, two containers and their network are in /etc/containers/systemd, and their units are wanted by multi-user.target", async () => {
    expect(await lab.sh("ls /etc/containers/systemd | grep -v users")).toBe(
      "authentik-server.container\nauthentik-worker.container\nauthentik.network\nauthentik.pod",
    );
    for (const unit of ["authentik-pod", "authentik-server", "authentik-worker"])
      expect(await lab.sh("systemctl show -p Wants --value multi-user.target")).toContain(`${unit}.service`);
  });

  test("server and worker each have 512 MiB of /dev/shm, and do not see each other's", async () => {
    const inside = (role: string, program: string) =>
      lab.sh(`podman exec authentik-${role} python3 -c "import os; ${program}"`);
    await inside("server", "open('/dev/shm/of-the-server', 'w')");
    for (const role of ["server", "worker"])
      expect(await inside(role, "s = os.statvfs('/dev/shm'); print(s.f_blocks * s.f_frsize >> 20)")).toBe("512");
    expect(await inside("server", "print(os.path.exists('/dev/shm/of-the-server'))")).toBe("True");
    expect(await inside("worker", "print(os.path.exists('/dev/shm/of-the-server'))")).toBe("False");
    await inside("server", "os.remove('/dev/shm/of-the-server')");
  });

  test("a recovery link created by its own command works once", async () => {
    const said = await lab.sh("podman exec authentik-worker ak create_recovery_key 10 akadmin");
    const link = said.split("\n").at(-1) ?? "";
    expect(link).toMatch(/^\/recovery\/use-token\/\w+\/$/);
    const open = async () => (await ask(lab.address, "auth.lab.internal", link)).status;
    expect([await open(), await open()]).toEqual([302, 404]);
    expect((await lab.try("podman exec authentik-worker ak create_recovery_key 10 nobody")).status).not.toBe(0);
  });

  test("its own command applies a blueprint, and refuses an invalid one", async () => {
    const users = async () => JSON.parse((await ask(lab.address, "auth.lab.internal")).body).postgresql.users;
    const apply = (name: string, text: string) =>
      lab.try(
        `printf '${text}' >/root/${name}; podman cp /root/${name} authentik-worker:/blueprints/${name}; rm /root/${name}; podman exec authentik-worker ak apply_blueprint ${name}`,
      );
    const carol = (state: string) =>
      `version: 1\\nentries:\\n- model: authentik_core.user\\n  state: ${state}\\n  identifiers: {username: carol}\\n  attrs: {name: !Context name}\\n`;
    const before = await users();
    for (const [state, more] of [
      ["present", 1],
      ["absent", 0],
    ] as const) {
      const { status, text } = await apply("users.yaml", carol(state));
      expect(status, text).toBe(0);
      expect(await users()).toBe(before + more);
    }
    expect((await apply("wrong.yaml", "entries: []\\n")).text).toContain("Blueprint invalid");
  });

  test("M8: every service runs in system.slice", async () => {
    for (const unit of [POSTGRES, VALKEY, "authentik-server", "authentik-worker", "authentik-pod", "caddy"])
      expect(await lab.sh(`systemctl show -p ControlGroup --value ${unit}`)).toMatch(/^\/system\.slice\//);
  });

  test("M9: the server listens on 0.0.0.0:9000 in the pod, and only 127.0.0.1:9000 is published", async () => {
    const pid = await lab.sh("podman inspect -f '{{.State.Pid}}' authentik-server");
    const inside = await lab.sh(`nsenter -t ${pid} -n ss -Hltn | awk '{ print $4 }'`);
    expect(inside.split("\n").sort()).toEqual([
      "0.0.0.0:9000",
      "127.0.0.1:9001",
      "127.0.0.1:9300",
      "127.0.0.1:9301",
      "127.0.0.1:9443",
    ]);
    expect(await lab.sh("podman port -a")).toMatch(/9000\/tcp -> 127\.0\.0\.1:9000$/);
  });

  test("its first administrator has the password in the stack's outputs, which only root can read on the host", async () => {
    const { administrator } = await stack.outputs();
    expect(administrator.name).toBe("akadmin");
    const [, rounds, salt = "", hash] = (
      await lab.sh(
        `su postgres -c "psql -XAtd authentik -c \\"SELECT password FROM authentik_core_user WHERE username = 'akadmin'\\""`,
      )
    ).split("$");
    expect(pbkdf2Sync(administrator.password, salt, Number(rounds), 32, "sha256").toString("hex")).toBe(hash);
    const holding = await lab.sh(
      `grep -rl ${administrator.password} /etc /run/systemd /usr/local /var/lib/gatehouse | sort`,
    );
    for (const path of holding.split("\n")) expect(await lab.stat(path), path).toMatch(/^[46]00 root:root$/);
    expect(holding).not.toMatch(/^\/(etc|run|usr)/m);
    expect((await lab.try(`podman inspect authentik-server | grep -c ${administrator.password}`)).text.trim()).toBe(
      "0",
    );
    expect((await lab.try(`journalctl -o cat | grep -c ${administrator.password}`)).text.trim()).toBe("0");
  });

  test.each([
    "/if/flow/initial-setup/",
    "/if/flow/initial-setup?next=/",
    "/api/v3/flows/executor/initial-setup/?query=",
    "/api/v3/flows/executor/initial%2Dsetup/",
    "/api/v3/flows%2Fexecutor/initial-setup/",
    "//api/v3/flows/executor/initial-setup/",
    "/api/v3/./flows/x/../executor/initial-setup/",
    "/api/V3/flows/executor/INITIAL-SETUP/",
  ])("its setup cannot be reached from outside: %s", async (path) => {
    expect((await ask(lab.address, "auth.lab.internal", path)).status).toBe(403);
  });

  test("its setup exists inside, and requires the password", async () => {
    const setup = await lab.sh("curl -sf http://127.0.0.1:9000/api/v3/flows/executor/initial-setup/");
    expect(setup).toContain("ak-stage-access-denied");
    expect((await ask(lab.address, "auth.lab.internal", "/notes")).status).toBe(200);
  });

  test("no secret is in its environment, its unit or the output of Podman", async () => {
    const key = await lab.sh(`cat ${SECRETS}/*/secret_key`);
    expect(key).toMatch(/^\w{64}$/);
    expect((await lab.try(`podman inspect authentik-server authentik-worker | grep -c ${key}`)).text.trim()).toBe("0");
    expect((await lab.try(`grep -rl ${key} /etc /run/systemd /usr/local`)).text).toBe("");
    expect((await lab.try(`journalctl -o cat | grep -c ${key}`)).text.trim()).toBe("0");
    expect(inject("firstUp").text).not.toContain(key);
  });

  test("its role logs in by peer authentication, without a password", async () => {
    const page = JSON.parse((await ask(lab.address, "auth.lab.internal")).body);
    expect(page.postgresql).toMatchObject({ user: "authentik", by: "unix socket" });
    expect(
      await lab.sh(
        `su postgres -c "psql -XAtc \\"select count(*) from pg_authid where rolname='authentik' and rolpassword is null\\""`,
      ),
    ).toBe("1");
  });
});

describe("refused clients", () => {
  const connect = (uid: string, group: string) =>
    lab.try(
      `podman run --rm --user ${uid} ${group} -v ${PG}:${PG} --entrypoint python3 ${IMAGE}:2026.8.3 -c "import psycopg2; psycopg2.connect('host=${PG} dbname=authentik user=authentik'); print('connected')"`,
    );

  test("a container with the account's UID and the group connects; without the group the socket is closed to it", async () => {
    const uid = await lab.sh("echo $(id -u authentik):$(id -g authentik)");
    expect((await connect(uid, `--group-add ${platform.groups.postgres.gid}`)).text).toContain("connected");
    const refused = await connect(uid, "");
    expect(refused.text).toContain("Permission denied");
    expect(refused.status).not.toBe(0);
  });

  test("another UID with the group reaches the socket and is refused by peer authentication", async () => {
    const refused = await connect(await lab.sh("id -u caddy"), `--group-add ${platform.groups.postgres.gid}`);
    expect(refused.text).toContain("Peer authentication failed");
  });

  test("Valkey runs no command for a client without a password, and its files are closed to the client group", async () => {
    expect(await lab.sh(`valkey-cli -s ${VK}/valkey.sock get x`)).toContain("NOAUTH");
    await lab.sh("useradd -r -G valkey-clients member && chown -R valkey: /var/lib/valkey");
    expect(
      (await lab.try(`setpriv --reuid member --regid member --init-groups cat /var/lib/valkey/dump.rdb`)).text,
    ).toContain("Permission denied");
    expect(
      await lab.sh(`setpriv --reuid member --regid member --init-groups valkey-cli -s ${VK}/valkey.sock ping`),
    ).toContain("NOAUTH");
    await lab.sh("userdel member");
  });

  test("M12: Valkey listens on loopback only, and PostgreSQL on no address", async () => {
    const listening = await lab.sh("ss -Hltnp");
    expect(listening).toMatch(/127\.0\.0\.1:6379/);
    expect(listening).not.toMatch(/(0\.0\.0\.0|\*):6379/);
    expect(listening).not.toContain("postgres");
  });

  test("from outside, 443 answers; 9000, 9443, 6379 and 5432 do not", async () => {
    const reachable = async (port: number) =>
      (await run("bash", ["-c", `timeout 2 bash -c '</dev/tcp/${lab.address}/${port}'`])).status === 0;
    expect(await reachable(443)).toBe(true);
    for (const port of [9000, 9443, 6379, 5432]) expect(await reachable(port), `port ${port}`).toBe(false);
  });
});

describe("the public side", () => {
  test("M10: HTTPS answers through Caddy, and authentik sees the public name, scheme and client", async () => {
    const { status, body } = await ask(lab.address, "auth.lab.internal");
    expect(status).toBe(200);
    expect(JSON.parse(body).request).toMatchObject({ scheme: "https", host: "auth.lab.internal" });
  });

  test("Caddy is controlled over a socket that only it can use, and not on a port", async () => {
    expect(await lab.stat("/run/caddy")).toBe("700 caddy:caddy");
    expect(await lab.sh("ss -Hltn")).not.toContain(":2019");
  });
});

test("the table of settings that need a restart matches PostgreSQL", async () => {
  const names = await lab.sh(
    `su postgres -c "psql -XAtc \\"select name from pg_settings where context = 'postmaster' order by name\\""`,
  );
  const notSettings = ["include", "include_dir", "include_if_exists"]; // directives of the file
  const own = OWN_SETTINGS.filter((name) => !notSettings.includes(name));
  const major = Number(await lab.sh(`${distribution.postgres.bin}/postgres --version | grep -o '[0-9]*' | head -1`));
  const later = major < 18 ? [] : RESTART_SETTINGS_OF_18;
  expect([...RESTART_SETTINGS, ...later, ...own].sort()).toEqual(names.split("\n").sort());
});

test("a key that authentik cannot read is named by verify, and is readable with the rights that verify asks for", async () => {
  const key = "/var/lib/authentik/certs/own/privkey.pem";
  const read = () => lab.try(`podman exec authentik-worker python3 -c 'print(open("/certs/own/privkey.pem").read())'`);
  await lab.sh(`install -d -g authentik -m 750 ${key.replace(/\/[^/]*$/, "")} && echo key >${key} && chmod 600 ${key}`);
  try {
    expect((await read()).text).toContain("Permission denied");
    const { status, text } = await lab.try("gatehouse verify");
    expect([status, text]).toEqual([3, expect.stringContaining(`release authentik  ${key} is 600 root:root`)]);
    await lab.sh(`chgrp authentik ${key} && chmod g+rX ${key}`);
    expect((await read()).text).toBe("key\n\n");
    expect(await lab.try("gatehouse verify")).toMatchObject({ status: 0 });
  } finally {
    await lab.sh(`rm -r ${key.replace(/\/[^/]*$/, "")}`);
  }
});

test("PostgreSQL was created with checksums, and its databases are UTF8", async () => {
  const ask = (sql: string) => lab.sh(`su postgres -c "psql -XAtc \\"${sql}\\""`);
  expect(await ask("show data_checksums")).toBe("on");
  expect(await ask("select pg_encoding_to_char(encoding) from pg_database where datname = 'authentik'")).toBe("UTF8");
});

test("no package started its service with its stock configuration", async () => {
  const first = await lab.sh("journalctl -u caddy -o cat | grep -m1 -o 'admin endpoint started.*'");
  expect(first).toContain("/run/caddy/admin.sock");
});

// Arch's packages do not start services.
test.runIf(VALKEY === "valkey-server.service")("Valkey started for the first time after it was installed", async () => {
  const started = await lab.sh(`journalctl -u ${VALKEY} -o short-unix | grep -m1 'Started ${VALKEY}' | cut -d. -f1`);
  const installed = await lab.sh(
    "date -d \"$(grep -m1 ' status installed valkey-server:' /var/log/dpkg.log | cut -d' ' -f1,2)\" +%s",
  );
  expect(Number(started)).toBeGreaterThan(Number(installed));
});
