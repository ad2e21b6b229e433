import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { inspection, installation, preflight } from "../../components/connection/agent.ts";
import { arch } from "../../components/distribution/arch.ts";
import { debian, ubuntu } from "../../components/distribution/debian.ts";
import type { Distribution } from "../../components/distribution/distribution.ts";

/** The last line of every such message. */
const MORE = "More: docs/authentik-deployment-guide.md#pulumi-says-this-host-cannot-be-used\n";

const FOLDER = fileURLToPath(new URL("../../agent/bootstrap", import.meta.url));
const EXPECTED = { platform: debian, gids: { "postgres-clients": 2001, "valkey-clients": undefined } };
const run = (command: string, args: string[], input = "") => spawnSync(command, args, { encoding: "utf8", input });
const TOOLS = fileURLToPath(new URL("../tools/python", import.meta.url));

test.each(["preflight.sh", "finished.sh"])("%s passes shellcheck, for any POSIX shell", (name) => {
  const rules = ["--shell=sh", "--enable=all", "--exclude=SC2250,SC2312,SC2154"];
  const { status, stdout } = run(TOOLS, ["shellcheck", ...rules, `${FOLDER}/${name}`]);
  expect([status, stdout]).toEqual([0, ""]);
});

test.each([
  ["preflight.sh", () => preflight(EXPECTED)],
  ["the installation of the agent", () => installation(EXPECTED)],
  ["the inspection of a host", () => inspection(EXPECTED)],
  ["the installation that waits for cloud-init", () => installation(EXPECTED, 60)],
])("%s is a valid shell script", (_, script) => {
  expect(run("sh", ["-n"], script())).toMatchObject({ status: 0, stderr: "" });
  expect(run("sh", ["-n"], `${script()}\nif`).status).not.toBe(0);
});

// Functions with these names answer the script's commands; [ -d /run/systemd/system ] is not replaced.
const HOST = {
  id: 'if [ "$1" = -u ]; then echo 0; else echo root; fi',
  stat: "echo cgroup2fs",
  df: "echo header; echo '/dev/vda1 9000 1000 8000 12% /'",
  python3: "true",
  getent: "return 2",
  findmnt: "echo rw,relatime,errors=remount-ro /",
  podman: "echo podman version 5.4.2",
  // `.` reads a file, so the path /etc/os-release is replaced in the text.
};
const OS_RELEASE = 'ID=debian VERSION_ID="13"';

function judged(
  changes: Partial<typeof HOST> = {},
  { release = OS_RELEASE, offered = "true", platform = debian as Distribution } = {},
): { status: number | null; reported: string } {
  const functions = Object.entries({ ...HOST, ...changes }).map(([name, body]) => `${name}() { ${body}\n}\n`);
  const script = preflight({ ...EXPECTED, platform })
    .replaceAll(". /etc/os-release &&", `${release} &&`)
    .replace(/^podman_offered\(\).*$/m, `podman_offered() { ${offered}; }`)
    .replace(/^\[ -d \/run\/systemd\/system \].*$/m, "");
  const { status, stderr } = run("sh", ["-s"], functions.join("") + script);
  return { status, reported: stderr };
}

describe("a wait for cloud-init", () => {
  /** Runs the script with a cloud-init that ends after some seconds with a status; without one, there is none. */
  const waited = (body?: string) => {
    const folder = mkdtempSync(join(tmpdir(), "cloud-init-test-"));
    if (body !== undefined) writeFileSync(join(folder, "cloud-init"), `#!/bin/sh\n${body}\n`, { mode: 0o755 });
    const script = readFileSync(`${FOLDER}/finished.sh`, "utf8");
    const { status, stdout, stderr } = run("sh", ["-s"], `PATH=${folder}:$PATH WAIT=1\n${script}`);
    rmSync(folder, { recursive: true });
    return [status, stdout, stderr];
  };

  test("has nothing to do on a host without it", () => {
    expect(waited()).toEqual([0, "", ""]);
  });

  test("ends with it, whether it had errors or not: what is missing then is reported by the checks", () => {
    expect(waited('[ "$*" = "status --wait" ] && echo .... && exit 0')).toEqual([0, "", ""]);
    expect(waited("echo status: error; exit 2")).toEqual([0, "", ""]);
  });

  test("fails if it takes longer", () => {
    expect(waited("sleep 20")).toEqual([
      1,
      "",
      "gatehouse: cloud-init has not finished after 1 seconds: raise host.wait, or see what it does: cloud-init status --long\n",
    ]);
  });
});

describe("a host is checked before anything is installed on it", () => {
  test("a Debian 13 with systemd, Python and free space is accepted without output", () => {
    expect(judged()).toEqual({ status: 0, reported: "" });
    expect(judged({ getent: "echo postgres-clients:x:2001:" })).toEqual({ status: 0, reported: "" });
  });

  test("so are the releases of the other platforms, each by its own profile", () => {
    expect(judged({}, { platform: ubuntu, release: 'ID=ubuntu VERSION_ID="26.04"' })).toEqual({
      status: 0,
      reported: "",
    });
    expect(judged({}, { platform: arch, release: "ID=arch BUILD_ID=rolling; unset VERSION_ID" }).reported).toBe("");
  });

  test("a Podman without support for pods as Quadlets is refused, whether it is installed or would be", () => {
    const problem = (version: string) =>
      `  - Podman is ${version}, whose Quadlets do not support pods: Podman 5 or newer is required\n`;
    expect(judged({ podman: "echo podman version 4.9.3" }).reported).toContain(problem("4.9.3"));
    const offered = { offered: "echo 4.9.3+ds1-1ubuntu0.2", platform: ubuntu, release: 'ID=ubuntu VERSION_ID="24.04"' };
    expect(judged({ podman: "return 127" }, offered).reported).toBe(
      `gatehouse: this host cannot be used:\n  - this is ubuntu 24.04, but host.platform says ubuntu 26.04\n${problem("4.9.3+ds1-1ubuntu0.2")}${MORE}`,
    );
    // A version that no list contains is unknown, which is not an error.
    for (const offered of ["echo 5.4.2+ds1-2", "echo 10.0", "true", "return 100"])
      expect(judged({ podman: "return 127" }, { offered }), offered).toEqual({ status: 0, reported: "" });
  });

  test.each([
    [
      "an unprivileged user",
      { id: 'if [ "$1" = -u ]; then echo 1000; else echo bob; fi' },
      "user bob is not root: set host.sudo to true, or host.user to root",
    ],
    ["cgroup v1", { stat: "echo tmpfs" }, "cgroup v2 is missing: boot with systemd.unified_cgroup_hierarchy=1"],
    [
      "no Python",
      { python3: "return 127" },
      "Python 3.11 or newer with its standard library is missing: install the package python3",
    ],
    [
      "a group with another GID than configured",
      { getent: 'if [ "$2" = postgres-clients ]; then echo postgres-clients:x:990:; fi' },
      "group postgres-clients has GID 990, not 2001 as configured: its files have GID 990, so set that in the configuration",
    ],
    [
      "a configured GID that another group has",
      { getent: 'if [ "$2" = 2001 ]; then echo staff:x:2001:; fi' },
      "GID 2001, configured for group postgres-clients, belongs to group staff: choose another, or leave it out",
    ],
    [
      "a full disk",
      { df: "echo header; echo '/dev/vda1 9000 7000 2000 78% /'" },
      "only 2000 MiB are free under /var/lib; 2048 are required",
    ],
    [
      "a read-only /usr",
      { findmnt: "case $4 in /usr*) echo ro,relatime /usr ;; *) echo rw / ;; esac" },
      "read-only: /usr /usr/local, where packages and files are installed: mount it writable there, such as `mount -o remount,rw /usr`",
    ],
    [
      "a read-only /etc",
      { findmnt: 'if [ "$4" = /etc ]; then echo rw,ro /; else return 1; fi' },
      "read-only: /etc, where packages and files are installed: mount it writable there, such as `mount -o remount,rw /`",
    ],
  ])("%s is refused, with the remedy", (_, changes, problem) => {
    expect(judged(changes)).toEqual({
      status: 1,
      reported: `gatehouse: this host cannot be used:\n  - ${problem}\n${MORE}`,
    });
  });

  test("another distribution than the configured one is refused, also one without a version", () => {
    expect(judged({}, { release: 'ID=ubuntu VERSION_ID="26.04"' }).reported).toContain(
      "- this is ubuntu 26.04, but host.platform says debian 13",
    );
    expect(judged({}, { release: "ID=arch; unset VERSION_ID" }).reported).toContain(
      "- this is arch rolling, but host.platform says debian 13",
    );
    expect(judged({}, { platform: arch }).reported).toContain(
      "- this is debian 13, but host.platform says arch rolling",
    );
  });

  test("all problems are reported together", () => {
    expect(
      judged({ stat: "echo tmpfs", python3: "return 127" }, { release: "ID=x VERSION_ID=1" }).reported.match(
        /^ {2}- /gm,
      ),
    ).toHaveLength(3);
  });
});

test.each([
  ["installation", () => installation(EXPECTED)],
  ["inspection", () => inspection(EXPECTED)],
])("nothing of the %s runs before its last line has arrived", (_, script) => {
  // Each line is replaced by one that reports that it ran.
  const lines = script().trimEnd().split("\n");
  const telling = [lines[0], 'echo "$1"', "echo two", ...lines.slice(-2)];
  for (let arrived = 0; arrived < telling.length; arrived++)
    expect(run("sh", ["-s"], telling.slice(0, arrived).join("\n")).stdout).toBe("");
  expect(run("sh", ["-s", "--", "the machine"], telling.join("\n")).stdout).toBe("the machine\ntwo\n");
});
