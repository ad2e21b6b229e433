import { once } from "node:events";
import { type AddressInfo, connect, createServer } from "node:net";
import * as pulumi from "@pulumi/pulumi";
import ssh2 from "ssh2";
import { afterEach, beforeEach, describe, expect, onTestFinished, test, vi } from "vitest";
import type { Connection } from "../../components/connection/connection.ts";
import { inspect } from "../../components/connection/inspect.ts";
import { debian } from "../../components/distribution/debian.ts";
import { rejectionsOf } from "../components/rejections.ts";
import { type Answer, newKey, type Sshd, sshd } from "./sshd.ts";

/** The last line of every such message. */
const MORE =
  "More: docs/authentik-deployment-guide.md#pulumi-says-cannot-be-reached-refuses-the-key-or-has-another-host-key";

const NO_KEY =
  "there is no SSH key to log in with: gatehouse:sshKey is not set, and no SSH agent runs ($SSH_AUTH_SOCK is not set): " +
  '`pulumi config set --secret gatehouse:sshKey < KEYFILE`, or start an agent (`eval "$(ssh-agent)" && ssh-add KEYFILE`)';
const FACTS = { protocol: 1, machine: "0123456789ab", warnings: [], items: {} };
const NO_SHELL =
  "deploy@127.0.0.1 accepts the login, but runs no commands: the login shell of deploy (`getent passwd deploy`) is one such as nologin, or a command is forced (ForceCommand in sshd_config, command= in authorized_keys). " +
  "Allow commands there (`usermod --shell /bin/sh deploy`), or set host.user to another user.";
const HOST = { platform: debian, gids: {} };
let servers: Sshd[] = [];

beforeEach(() => {
  vi.stubEnv("SSH_AUTH_SOCK", "");
});
afterEach(async () => {
  vi.unstubAllEnvs();
  await Promise.all(servers.map((server) => server.close()));
  servers = [];
});

async function serve(answer: Answer = { stdout: `${JSON.stringify(FACTS)}\n` }, pair = newKey()) {
  const server = await sshd(answer, pair);
  servers.push(server);
  return server;
}

const to = ({ port, hostKey, key }: Sshd, changes: Partial<Connection> = {}): Connection => ({
  address: "127.0.0.1",
  port,
  user: "root",
  sudo: false,
  hostKey,
  privateKey: key,
  ...changes,
});

const run = (preview: boolean) =>
  pulumi.runtime.setMocks(
    { newResource: () => ({ id: "", state: {} }), call: () => ({}) },
    "gatehouse",
    "test",
    preview,
  );

/** The message shown to a user; an internal error would have a stack trace. */
async function reported(connection: Connection, look: "on" | "required" = "on"): Promise<string> {
  const answer = await inspect(connection, HOST, look).catch((error: unknown) => error);
  if (!pulumi.RunError.isInstance(answer)) throw new Error(`no RunError but ${JSON.stringify(answer)}: ${answer}`);
  return answer.message;
}

describe("a host that answers", () => {
  test("is inspected once, in one session, by the read-only script", async () => {
    const server = await serve();
    expect(await inspect(to(server), HOST, "on")).toEqual(FACTS);
    expect(server.sessions).toBe(1);
    expect(server.asked).toEqual([
      { user: "root", command: "sh -s", stdin: expect.stringContaining("gatehouse facts") },
    ]);
  });

  test("is inspected through sudo if the user is not root", async () => {
    const server = await serve();
    await inspect(to(server, { user: "deploy", sudo: true }), HOST, "on");
    expect(server.asked).toMatchObject([{ user: "deploy", command: "sudo -n sh -s" }]);
  });

  test("may come from another stack: Outputs are accepted, and user and sudo have defaults", async () => {
    const server = await serve();
    const { port, hostKey } = pulumi.output({ port: server.port, hostKey: server.hostKey });
    const connection = { address: "127.0.0.1", port, hostKey, privateKey: pulumi.secret(server.key) };
    expect(await inspect(connection, HOST, "on")).toEqual(FACTS);
    expect(server.asked).toMatchObject([{ user: "root", command: "sh -s" }]);
  });

  test("is inspected through a proxy, which accepts the same key and cannot read the session", async () => {
    const pair = newKey();
    const host = await serve(undefined, pair);
    const proxy = await serve({}, pair);
    expect(await inspect(to(host, { proxy: { ...to(proxy), user: "hop" } }), HOST, "on")).toEqual(FACTS);
    expect(host.asked).toMatchObject([{ user: "root", command: "sh -s" }]);
    expect([proxy.sessions, proxy.asked]).toEqual([0, []]);
  });

  test.each([
    [
      "sudo needs a password",
      { status: 1, stderr: "sudo: a password is required\n" },
      { user: "deploy", sudo: true },
      "deploy@127.0.0.1 may not use sudo without a password (sudo: a password is required). " +
        "Allow it there: echo 'deploy ALL=(root) NOPASSWD: ALL' >/etc/sudoers.d/gatehouse",
    ],
    [
      "it cannot be used",
      { status: 1, stderr: "gatehouse: this host cannot be used:\n  - cgroup v2 is missing\n" },
      {},
      "127.0.0.1: gatehouse: this host cannot be used:\n  - cgroup v2 is missing",
    ],
    [
      "its user is not root and sudo is not configured",
      { status: 1, stderr: "gatehouse: this host cannot be used:\n  - user bob is not root: set host.sudo to true\n" },
      { user: "bob" },
      "127.0.0.1: gatehouse: this host cannot be used:\n  - user bob is not root: set host.sudo to true",
    ],
    ["it fails without output", { status: 7 }, {}, "127.0.0.1: exit status 7"],
    [
      "its agent is newer",
      { stdout: JSON.stringify({ ...FACTS, protocol: 2 }) },
      {},
      "127.0.0.1: the agent on the host speaks protocol 2, this program only 1: another stack uses a newer gatehouse there; update this program",
    ],
    [
      "its shell prints a greeting",
      { stdout: `Welcome!\n${JSON.stringify(FACTS)}\n` },
      {},
      '127.0.0.1 printed "Welcome!" instead of facts. A shell that is not interactive must not print anything itself.',
    ],
    [
      "the login shell of its user is nologin",
      { status: 1, stdout: "This account is currently not available.\n", shell: false },
      { user: "deploy" },
      NO_SHELL,
    ],
    ["the login shell of its user is false", { status: 1, shell: false }, { user: "deploy" }, NO_SHELL],
    ["a command is forced, which succeeds", { stdout: "Hello\n", shell: false }, { user: "deploy" }, NO_SHELL],
  ])("stops the program with a message if %s", async (_, answer, changes, message) => {
    expect(await reported(to(await serve(answer), changes))).toBe(message);
  });
});

describe("a host that cannot be trusted or reached", () => {
  test("has another host key: both fingerprints are reported, and nothing is run", async () => {
    const server = await serve();
    const other = await serve();
    const message = await reported(to(server, { hostKey: other.hostKey }));
    expect(message).toContain("127.0.0.1 has another host key than host.hostKey:");
    expect(message).toContain(`expected ${other.fingerprint}`);
    expect(message).toContain(`offered  ${server.fingerprint}`);
    expect(server.asked).toEqual([]);
  });

  test("permits no algorithm that the program has, which waiting does not change", async () => {
    const server = await sshd(() => ({}), newKey(), { kex: ["diffie-hellman-group1-sha1"] });
    servers.push(server);
    await run(false);
    const [first, ...others] = (await reported(to(server))).split("\n");
    expect(first).toMatch(
      /^root@127\.0\.0\.1:\d+ and this program have no algorithm in common \(.*key exchange algorithm\): .*`sshd -T \| grep /,
    );
    expect(others).toEqual([MORE]);
  });

  test("has no host key of the expected type", async () => {
    const server = await serve();
    expect(await reported(to(server, { hostKey: "ecdsa-sha2-nistp256 AAAA" }))).toBe(
      `127.0.0.1 has no host key of the type ecdsa-sha2-nistp256 that host.hostKey specifies\n${MORE}`,
    );
  });

  test.each([
    ["refuses connections for a while, as sshd does after failed logins", "Not allowed at this time\r\n"],
    ["closes each connection, as a firewall does", ""],
    ["is not an SSH server", "HTTP/1.1 400 Bad Request\r\n\r\n"],
    ["speaks SSH incorrectly", `SSH-2.0-nonsense\r\n${"\u007f".repeat(64)}`],
  ])("%s, which is reported once, with the advice to wait, and ends nothing else", async (_, greeting) => {
    await run(false);
    const other = createServer((socket) => socket.end(greeting)).listen(0, "127.0.0.1");
    await once(other, "listening");
    const { port } = other.address() as AddressInfo;
    const server = await serve();
    const rejected = await rejectionsOf(async () => {
      expect(await reported(to({ ...server, port }))).toMatch(
        new RegExp(
          `^root@127.0.0.1:${port} cannot be reached: it accepts the connection, but ends it before the handshake \\(.*\\)\\. .*: wait a minute and run this again\\. .* check host.address and host.port`,
        ),
      );
    });
    expect(rejected).toEqual([]);
    other.close();
  });

  test("does not answer through its proxy, which is reported once and ends nothing else", async () => {
    await run(false);
    const mute = createServer().listen(0, "127.0.0.1");
    await once(mute, "listening");
    const { port } = mute.address() as AddressInfo;
    const proxy = await serve();
    const rejected = await rejectionsOf(async () => {
      // ssh2 waits 15 seconds for the host's answer, and then hangs up with a separate error.
      vi.useFakeTimers({ toFake: ["setTimeout"] });
      const message = reported(to({ ...proxy, port }, { proxy: to(proxy) }));
      const [socket] = await once(mute, "connection");
      await once(socket, "data");
      vi.advanceTimersByTime(15_000);
      vi.useRealTimers();
      expect(await message).toContain("cannot be reached (Timed out while waiting for handshake)");
    });
    expect(rejected).toEqual([]);
    mute.close();
  });

  test("refuses the key", async () => {
    const server = await serve();
    const message = await reported(to(server, { privateKey: newKey().private }));
    expect(message).toBe(
      `root@127.0.0.1:${server.port} refuses the key in gatehouse:sshKey. Add the public key to ~root/.ssh/authorized_keys there, ` +
        "or set another key: `pulumi config set --secret gatehouse:sshKey < KEYFILE`. " +
        "If `sshd -T | grep permitrootlogin` prints no there, root cannot log in: set host.user to a user with passwordless sudo, and host.sudo to true.\n" +
        MORE,
    );
    const other = await reported(to(server, { user: "deploy", privateKey: newKey().private }));
    expect(other).toContain("Add the public key to ~deploy/.ssh/authorized_keys there");
    expect(other).not.toContain("permitrootlogin");
  });

  test("is not contacted if no key can be used", async () => {
    const server = await serve();
    expect(await reported(to(server, { privateKey: "ssh-ed25519 AAAA the public half" }))).toMatch(
      /^gatehouse:sshKey is not a private key in OpenSSH or PEM format/,
    );
    expect(await reported(to(server, { privateKey: undefined }))).toBe(`${NO_KEY}\n${MORE}`);
    expect(server.connections).toBe(0);
  });

  test("cannot be reached by its proxy, and the message names the proxy", async () => {
    await run(false);
    const pair = newKey();
    const [host, proxy, port] = [await serve({}, pair), await serve({}, pair), await unusedPort()];
    expect(await reported(to({ ...host, port }, { proxy: to(proxy) }))).toMatch(
      new RegExp(
        `^127.0.0.1:${port} cannot be reached through host.proxy .*: check host.address and host.port, as seen from the proxy, and that its sshd forwards`,
      ),
    );
    expect(await reported(to(host, { proxy: to({ ...proxy, port }) }))).toContain(
      "check host.proxy.address and host.proxy.port, and that sshd runs there",
    );
  });

  test("stops an update if nothing listens", async () => {
    await run(false);
    const port = await unusedPort();
    expect(await reported(to({ ...(await serve()), port }))).toBe(
      `root@127.0.0.1:${port} cannot be reached (connect ECONNREFUSED 127.0.0.1:${port}): check host.address and host.port, and that sshd runs there. If the host no longer exists, set host.abandoned to true and run \`pulumi destroy --run-program\`.\n${MORE}`,
    );
  });

  test("is a warning in a preview if nothing listens, which continues without drift", async () => {
    await run(true);
    const warn = vi.spyOn(pulumi.log, "warn").mockResolvedValue();
    const port = await unusedPort();
    expect(await inspect(to({ ...(await serve()), port }), HOST, "on")).toBeUndefined();
    expect(warn.mock.calls).toEqual([
      [expect.stringMatching(/cannot be reached .* The preview continues without checking the host for drift\.$/)],
    ]);
    await run(false);
  });

  test("is an error in a preview too if the inspection is required", async () => {
    await run(true);
    const port = await unusedPort();
    expect(await reported(to({ ...(await serve()), port }), "required")).toContain("cannot be reached");
    await run(false);
  });

  test("is an error even in a preview if its host key is wrong", async () => {
    await run(true);
    const [server, other] = [await serve(), await serve()];
    expect(await reported(to(server, { hostKey: other.hostKey }))).toContain("has another host key");
    await run(false);
  });
});

describe("a host that has just been created", () => {
  afterEach(() => run(false));

  test("is waited for during an update, until sshd listens", async () => {
    await run(false);
    const [server, port] = [await serve(), await unusedPort()];
    const listener = createServer((socket) => socket.pipe(connect(server.port, "127.0.0.1")).pipe(socket));
    const delay = setTimeout(() => listener.listen(port, "127.0.0.1"), 1500);
    onTestFinished(() => {
      clearTimeout(delay);
      listener.close();
    });
    expect(await inspect({ ...to(server), port, wait: 30 }, HOST, "on")).toEqual(FACTS);
    expect(server.sessions).toBe(1);
  });

  test("is waited for until it has the account and the key", async () => {
    await run(false);
    const [server, other] = [await serve(), newKey()];
    server.allow(other.public);
    const delay = setTimeout(() => server.allow(newPublic(server.key)), 1500);
    onTestFinished(() => clearTimeout(delay));
    expect(await inspect({ ...to(server), wait: 30 }, HOST, "on")).toEqual(FACTS);
  });

  test("is an error like any other once the wait is over", async () => {
    await run(false);
    const began = Date.now();
    expect(await reported({ ...to(await serve()), port: await unusedPort(), wait: 2 })).toContain("cannot be reached");
    expect(Date.now() - began).toBeGreaterThan(1900);
  });

  test("is not waited for in a preview, whose host is there or not, nor if it has another host key", async () => {
    const [server, other] = [await serve(), await serve()];
    const began = Date.now();
    await run(false);
    expect(await reported(to(server, { hostKey: other.hostKey, wait: 60 }))).toContain("has another host key");
    await run(true);
    expect(await reported({ ...to(server), port: await unusedPort(), wait: 60 }, "required")).toContain(
      "cannot be reached",
    );
    expect(Date.now() - began).toBeLessThan(10_000);
  });

  test("is asked whether cloud-init has finished, during an update that waits", async () => {
    for (const [preview, wait, asked] of [
      [false, 60, true],
      [false, 0, false],
      [true, 60, false],
    ] as const) {
      await run(preview);
      const server = await serve();
      await inspect(to(server, { wait }), HOST, "on");
      expect([preview, wait, server.asked[0]?.stdin.includes("cloud-init status --wait")]).toEqual([
        preview,
        wait,
        asked,
      ]);
    }
  });
});

const newPublic = (key: string) => {
  const parsed = ssh2.utils.parseKey(key);
  if (parsed instanceof Error) throw parsed;
  return `${parsed.type} ${parsed.getPublicSSH().toString("base64")}`;
};

/** A port that was free a moment ago. */
function unusedPort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const { port } = server.address() as { port: number };
      server.close(() => resolve(port));
    });
  });
}
