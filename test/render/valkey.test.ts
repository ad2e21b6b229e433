import { spawnSync } from "node:child_process";
import { describe, expect, test } from "vitest";
import { userSecrets } from "../../components/valkey/manifest.ts";
import { CASES } from "./cases.ts";
import { file, partsOfCase, section, values } from "./rendered.ts";

const CONFIG = "/etc/valkey/valkey.conf";
const ACL = "/etc/valkey/users.acl";
const DROP_IN = "/etc/systemd/system/valkey-server.service.d/gatehouse.conf";
const FIX = "/etc/systemd/system/valkey-socket-fix.service";
const PROGRAM = "/usr/local/libexec/gatehouse/valkey-socket-folder";
const lines = (text: string) => text.split("\n").filter((line) => line !== "");

describe("valkey.conf", () => {
  const config = lines(file("full", CONFIG));

  test("listens on loopback and the socket only (M12)", () => {
    expect(config).toContain("bind 127.0.0.1 -::1");
    expect(config).toContain("protected-mode yes");
    expect(config).toContain("unixsocket /run/valkey/valkey.sock");
  });

  test("opens the socket to the group and to no other account (M2)", () => {
    expect(config).toContain("unixsocketperm 770");
  });

  test("has the operator's settings after its own, sorted by name", () => {
    expect(config.slice(-2)).toEqual(['appendonly "yes"', 'maxmemory "256mb"']);
  });
});

describe("users.acl", () => {
  test("lets no client in without its own user (M12)", () => {
    expect(lines(file("full", ACL))[0]).toBe("user default off");
  });

  test.each(Object.keys(CASES))("of case %s has rules in plain text and hashes only as placeholders (H4)", (name) => {
    const acl = file(name, ACL);
    for (const line of lines(acl).slice(1))
      expect(line).toMatch(/^user [a-z0-9-]+ on \{\{secrets valkey-[a-z0-9-]+\/hash\}\} /);
    expect(acl).not.toMatch(/[>#<][0-9a-zA-Z]{8}/);
  });

  test("gives each application its user, without commands that affect more than its own data (M13)", () => {
    const users = lines(file("full", ACL)).map((line) => line.split(" "));
    expect(users.map(([, name]) => name)).toEqual(["default", "gatehouse", "grafana", "wiki"]);
    expect(users[2]?.slice(5).join(" ")).toBe("~* &* +@all -@admin -@dangerous +info +keys +sort");
  });

  test("lets the agent's user reload the rules, save and count the data, and read no key", () => {
    expect(file("full", ACL)).toMatch(
      /^user gatehouse on \S+ \S+ resetkeys resetchannels -@all \+acl\|load \+save \+bgrewriteaof \+config\|set \+info \+client\|pause \+client\|unpause$/m,
    );
  });

  test("is reloaded, not restarted, when it changes (M18)", () => {
    const effects = (partsOfCase("full").valkey.files ?? []).map(({ path, restarts, reloads }) => ({
      path,
      restarts,
      reloads,
    }));
    expect(effects.find(({ path }) => path === ACL)).toMatchObject({ reloads: ["valkey-server.service"] });
    expect(effects.find(({ path }) => path === ACL)?.restarts).toBeUndefined();
    expect(effects.find(({ path }) => path === CONFIG)).toMatchObject({ restarts: ["valkey-server.service"] });
  });
});

describe("the service", () => {
  const unit = section(file("full", DROP_IN), "Service");

  test("runs with the clients' group, so that the socket has it from the start (M2, H14)", () => {
    expect(unit).toContain("Group=valkey-clients");
    expect(unit).toContain(`ExecStartPost=+${PROGRAM} open /run/valkey valkey:valkey-clients valkey.sock`);
    for (const when of ["ExecStartPre=+", "ExecStop=-+", "ExecStopPost=+"])
      expect(unit).toContain(`${when}${PROGRAM} close /run/valkey valkey:valkey-clients`);
  });

  test("keeps its socket directory during a restart, or a container would keep the old one (H14)", () => {
    // A runtime directory would also be opened before the server has its socket.
    expect(unit).toContain("RuntimeDirectory=");
  });

  test("writes nothing that its group can read: clients are in it (H14)", () => {
    expect(unit).toContain("UMask=0077");
    expect(partsOfCase("full").valkey.directories).toEqual([
      { path: "/etc/valkey", mode: "0711", owner: "root:root" },
      { path: "/var/lib/valkey", mode: "0700", owner: "valkey:valkey" },
      { path: "/var/log/valkey", mode: "0700", owner: "valkey:valkey" },
    ]);
  });

  test("reaches only this host, and is hardened more than the package's unit (M12)", () => {
    for (const line of ["IPAddressDeny=any", "IPAddressAllow=localhost", "ProtectSystem=strict", "ProcSubset=pid"])
      expect(unit).toContain(line);
  });
});

describe("valkey-socket-fix.service (M3)", () => {
  const unit = file("full", FIX);

  test("runs again after each start of Valkey: PartOf and RemainAfterExit propagate a restart to it (H14)", () => {
    for (const key of ["After", "PartOf", "WantedBy"]) expect(values(unit, key)).toEqual(["valkey-server.service"]);
    expect(values(unit, "RemainAfterExit")).toEqual(["yes"]);
    expect(values(unit, "Type")).toEqual(["oneshot"]);
  });

  test("checks the directory and the socket, and is enabled", () => {
    expect(values(unit, "ExecStart")).toEqual([`${PROGRAM} repair /run/valkey valkey:valkey-clients valkey.sock`]);
    expect(file("full", PROGRAM)).toContain("OPEN, CLOSED, SOCKET = 0o3770, 0o3750, 0o770\n");
    expect(partsOfCase("full").valkey.units).toContainEqual({ name: "valkey-socket-fix.service", enabled: true });
  });
});

test.each(["valkey-reload", "valkey-save"])("%s is a valid shell script with an interpreter line", (name) => {
  const script = file("full", `/usr/local/libexec/gatehouse/${name}`);
  expect(script.startsWith("#!/bin/sh\n")).toBe(true);
  expect(spawnSync("sh", ["-n"], { input: script, encoding: "utf8" })).toMatchObject({ status: 0, stderr: "" });
});

test.each(["valkey-reload", "valkey-save"])(
  "%s has the password from its file, in the generation that the server knows, never as an argument",
  (name) => {
    const script = file("full", `/usr/local/libexec/gatehouse/${name}`);
    expect(script).toContain("for password in /var/lib/gatehouse/secrets/valkey-gatehouse/*/password; do");
    expect(script).toContain('cat "$password"');
    expect(script).not.toMatch(/--pass|-a \S|REDISCLI_AUTH/);
  },
);

test("the snapshot is written before its folder is backed up, by a script that does nothing if the server is down", () => {
  expect(partsOfCase("full").valkey.data).toEqual([
    { name: "snapshot", path: "/var/lib/valkey", before: ["/usr/local/libexec/gatehouse/valkey-save"] },
  ]);
  expect(lines(file("full", "/usr/local/libexec/gatehouse/valkey-save"))[1]).toBe(
    "systemctl is-active --quiet valkey-server.service || exit 0",
  );
});

test("a user's secrets are a hash, and the plain password only for the agent's own user", () => {
  const names = (user: string) => userSecrets(user, "p", 1).files?.map(({ path }) => path.split("/").at(-1));
  expect(names("grafana")).toEqual(["hash"]);
  expect(names("gatehouse")).toEqual(["hash", "password"]);
  const [hash] = userSecrets("grafana", "hunter2", 1).files ?? [];
  // printf hunter2 | sha256sum
  expect(hash?.content).toBe("#f52fbd32b2b3b86ff88ef6c490628285f482af15ddcb29541f94bcf526a3f6c7");
  expect([hash?.mode, hash?.owner]).toEqual(["0400", "root:root"]);
});

test("the check starts a scratch server on no port, which saves nothing and is separate from the real one (H11)", () => {
  const [check] = partsOfCase("full").valkey.checks ?? [];
  expect(check).toMatchObject({ tree: "/etc/valkey", user: "valkey", group: "valkey-clients" });
  const argv = check?.exec.join(" ") ?? "";
  for (const argument of [
    "--port 0",
    "--unixsocket {scratch}/valkey.sock",
    "--dir {scratch}",
    "--aclfile {tree}/users.acl",
  ])
    expect(argv).toContain(argument);
});

test("every generation of secrets that is part of a user's line is kept while the release lives (H5)", () => {
  const { refers } = partsOfCase("full").valkey;
  expect(refers).toEqual(
    ["gatehouse/1", "grafana/2", "wiki/3"].map((user) => `/var/lib/gatehouse/secrets/valkey-${user}`),
  );
});
