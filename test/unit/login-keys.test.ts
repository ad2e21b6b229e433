// Which keys a login can use, and how each other one is refused.
import { createPublicKey, generateKeyPairSync } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import ssh2 from "ssh2";
import { afterAll, afterEach, beforeAll, describe, expect, onTestFinished, test, vi } from "vitest";
import { checkAgent, readableKey } from "../../components/connection/keys.ts";
import { newKey } from "./sshd.ts";

const pairs = {
  ed25519: () => generateKeyPairSync("ed25519"),
  rsa: () => generateKeyPairSync("rsa", { modulusLength: 2048 }),
  ecdsa: () => generateKeyPairSync("ec", { namedCurve: "P-256" }),
};
const parsed = (key: string) => ssh2.utils.parseKey(key) as ssh2.ParsedKey;

describe("a private key", () => {
  test.each(Object.entries(pairs))(
    "in PKCS#8, of type %s, logs in with the public key that belongs to it",
    (_, pair) => {
      const { privateKey, publicKey } = pair();
      const pkcs8 = String(privateKey.export({ type: "pkcs8", format: "pem" }));
      expect(pkcs8).toContain("-----BEGIN PRIVATE KEY-----");
      const key = parsed(readableKey(pkcs8));
      const text = Buffer.from("a text");
      expect(key.verify(text, key.sign(text))).toBe(true);
      const spki = { type: "spki", format: "pem" } as const;
      expect(createPublicKey(key.getPublicPEM()).export(spki)).toBe(publicKey.export(spki));
    },
  );

  test("in OpenSSH's own format, or PEM, is used as it is", () => {
    const own = newKey().private;
    expect(readableKey(own)).toBe(own);
    const pem = String(pairs.rsa().privateKey.export({ type: "pkcs1", format: "pem" }));
    expect(readableKey(pem)).toBe(pem);
  });

  const locked = { cipher: "aes-256-cbc", passphrase: "secret" };
  test.each([
    [
      "OpenSSH's format",
      () => ssh2.utils.generateKeyPairSync("ed25519", { ...locked, cipher: "aes256-cbc", rounds: 1 }).private,
    ],
    ["PKCS#8", () => pairs.ed25519().privateKey.export({ type: "pkcs8", format: "pem", ...locked })],
    ["PEM", () => pairs.rsa().privateKey.export({ type: "pkcs1", format: "pem", ...locked })],
  ])("with a passphrase is refused, in %s: the message says how to do without", (_, key) => {
    expect(() => readableKey(String(key()))).toThrow(
      /^gatehouse:sshKey has a passphrase, .*`ssh-keygen -t ed25519 -N '' -f KEYFILE`.*`ssh-add KEYFILE`\)$/,
    );
  });

  test.each([
    ["the public key", newKey().public],
    ["a certificate", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"],
    ["PuTTY's format", "PuTTY-User-Key-File-3: ssh-ed25519\n"],
    ["a file name", "~/.ssh/id_ed25519"],
    ["nothing", ""],
  ])("is none: %s", (_, key) => {
    expect(() => readableKey(key)).toThrow(/^gatehouse:sshKey is not a private key in OpenSSH or PEM format/);
  });

  test("below other lines is used, as by the plugin", () => {
    const own = newKey().private;
    expect(readableKey(`# of the deployment\n${own}`)).toBe(own);
  });

  test.each([
    ["its first half", (key: string) => key.slice(0, key.length / 2)],
    ["all but its last line", (key: string) => key.trimEnd().split("\n").slice(0, -1).join("\n")],
    ["one line", (key: string) => key.trimEnd().replaceAll("\n", " ")],
    ["one line with escapes", (key: string) => key.replaceAll("\n", "\\n")],
  ])("of which %s was set is refused as incomplete", (_, part) => {
    expect(() => readableKey(part(newKey().private))).toThrow(
      /^gatehouse:sshKey is only a part of a private key, or has lost its line breaks: .*, with the whole file$/,
    );
  });

  test.each([
    ["cut off", newKey().private.replace(/\n.{40}/, "\n")],
    [
      "of an unsupported type",
      String(generateKeyPairSync("x25519").privateKey.export({ type: "pkcs8", format: "pem" })),
    ],
  ])("that is %s is refused", (_, key) => {
    expect(() => readableKey(key)).toThrow(/^gatehouse:sshKey is not a usable private key \(.*\): set a whole one/);
  });
});

describe("the SSH agent", () => {
  let folder: string;
  let agent: Server | undefined;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), "agent-"));
  });
  afterAll(() => rmSync(folder, { recursive: true }));
  afterEach(() => void agent?.close());

  /** An agent with these public keys. */
  async function running(...keys: string[]): Promise<string> {
    const field = (bytes: Buffer) => Buffer.concat([number(bytes.length), bytes]);
    const number = (value: number) => Buffer.from([0, 0, value >> 8, value & 255]);
    const blobs = keys.map((key) => Buffer.concat([field(parsed(key).getPublicSSH()), field(Buffer.from("a key"))]));
    const answer = field(Buffer.concat([Buffer.from([12]), number(keys.length), ...blobs]));
    const socket = join(folder, "socket");
    agent = createServer((connection) => connection.once("data", () => connection.end(answer))).listen(socket);
    await once(agent, "listening");
    return socket;
  }
  const refusal = (hasKey: boolean, socket: string) => checkAgent(hasKey, socket).then(() => "none", String);

  test("is not needed beside a private key, and is used without one", async () => {
    expect(await refusal(true, "")).toBe("none");
    expect(await refusal(false, await running(newKey().public))).toBe("none");
  });

  test("is missing, and there is no private key either", async () => {
    expect(await refusal(false, "")).toMatch(/there is no SSH key to log in with: .* or start an agent/);
  });

  test("has no keys, which is a fault only without a private key", async () => {
    const socket = await running();
    expect(await refusal(true, socket)).toBe("none");
    expect(await refusal(false, socket)).toMatch(/has no keys, and gatehouse:sshKey is not set: `ssh-add KEYFILE`/);
  });

  test("is dead: also beside a private key, since the plugin connects to it too", async () => {
    const [gone, file] = [join(folder, "gone"), join(folder, "file")];
    writeFileSync(file, "");
    expect(await refusal(true, gone)).toMatch(
      /agent of \$SSH_AUTH_SOCK \(.*gone\) does not answer, .* although gatehouse:sshKey is set, .*: `unset SSH_AUTH_SOCK`$/,
    );
    expect(await refusal(true, file)).toMatch(/does not answer, .* although/);
    expect(await refusal(false, gone)).toMatch(/does not answer, and the connection needs it: start one/);
  });

  test("is suspended: it accepts the connection, and never answers", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    onTestFinished(() => void vi.useRealTimers());
    const socket = join(folder, "silent");
    agent = createServer((connection) => connection.once("data", () => vi.advanceTimersByTime(5000))).listen(socket);
    await once(agent, "listening");
    expect(await refusal(true, socket)).toMatch(/agent of \$SSH_AUTH_SOCK \(.*silent\) does not answer/);
  });
});
