// An SSH server inside the test, on loopback: it accepts one key, and answers every command as configured.
import { createHash } from "node:crypto";
import { type AddressInfo, connect, createServer } from "node:net";
import ssh2 from "ssh2";

const { Server, utils } = ssh2;

export interface Answer {
  status?: number;
  stdout?: string;
  stderr?: string;
  /** Whether the login shell runs `echo`; otherwise it answers every command as the others. @default true */
  shell?: boolean;
}

export interface Sshd {
  port: number;
  /** In the format of the configuration. */
  hostKey: string;
  fingerprint: string;
  /** A private key that it accepts. */
  key: string;
  /** The requested commands, with their stdin. */
  asked: { user: string; command: string; stdin: string }[];
  sessions: number;
  /** The number of connections so far. */
  connections: number;
  /** From now on it lets in these public keys, and no others. */
  allow(...keys: string[]): void;
  close(): Promise<void>;
}

/** A new key pair. ssh2 cannot read some of the keys that it generates. */
export function newKey(): { private: string; public: string } {
  const pair = utils.generateKeyPairSync("ed25519");
  return utils.parseKey(pair.private) instanceof Error ? newKey() : pair;
}

/** @param answer always the same, or depending on stdin. */
export async function sshd(
  answer: Answer | ((stdin: string) => Answer),
  client = newKey(),
  algorithms: ssh2.Algorithms = {},
): Promise<Sshd> {
  const host = newKey();
  const parse = (key: string) => utils.parseKey(key) as ssh2.ParsedKey;
  let allowed = [parse(client.public)];
  const state: Pick<Sshd, "asked" | "sessions" | "connections"> = { asked: [], sessions: 0, connections: 0 };
  const connections = new Set<ssh2.Connection>();
  const ssh = new Server({ hostKeys: [host.private], algorithms }, (connection) => {
    let user = "";
    connections.add(connection);
    state.connections++;
    connection.on("error", () => {});
    connection.on("authentication", (context) => {
      user = context.username;
      const mine = context.method === "publickey" && allowed.some((key) => context.key.data.equals(key.getPublicSSH()));
      if (mine) context.accept();
      else context.reject(["publickey"]);
    });
    connection.on("session", (accept) => {
      state.sessions++;
      accept().on("exec", (acceptCommand, _, { command }) => {
        const channel = acceptCommand();
        let stdin = "";
        channel.on("data", (chunk: Buffer) => {
          stdin += chunk;
        });
        channel.on("end", () => {
          state.asked.push({ user, command, stdin });
          const given = typeof answer === "function" ? answer(stdin) : answer;
          const echoed = given.shell === false ? undefined : /^echo (\S+)$/.exec(command)?.[1];
          const { stdout = "", stderr = "", status = 0 } = echoed === undefined ? given : { stdout: `${echoed}\n` };
          channel.write(stdout);
          channel.stderr.write(stderr);
          channel.exit(status);
          channel.end();
        });
      });
    });
    connection.on("tcpip", (accept, reject, { destIP, destPort }) => {
      const onward = connect(destPort, destIP);
      onward.once("error", () => reject());
      onward.once("connect", () => {
        const channel = accept();
        channel.pipe(onward).pipe(channel);
      });
    });
  });
  // A separate server without Nagle's algorithm, since the one of ssh2 delays packets.
  const server = createServer({ noDelay: true }, (socket) => ssh.injectSocket(socket));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const parsed = utils.parseKey(host.public) as ssh2.ParsedKey;
  const digest = createHash("sha256").update(parsed.getPublicSSH()).digest("base64").replace(/=+$/, "");
  return Object.assign(state, {
    port: (server.address() as AddressInfo).port,
    hostKey: host.public.split(" ").slice(0, 2).join(" "),
    fingerprint: `SHA256:${digest}`,
    key: client.private,
    allow: (...keys: string[]) => {
      allowed = keys.map(parse);
    },
    close: () =>
      new Promise<void>((resolve) => {
        for (const connection of connections) connection.end();
        server.close(() => resolve());
      }),
  });
}
