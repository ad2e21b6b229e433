// SSH connections to a host, optionally through a proxy, and commands over them.
import { createHash } from "node:crypto";
import * as pulumi from "@pulumi/pulumi";
import { Client, type ConnectConfig } from "ssh2";
import { plain } from "../render/plain.ts";
import type { CompleteConnection } from "./connection.ts";

/** A connection in which all values are known. */
export type KnownConnection = pulumi.Unwrap<CompleteConnection>;

export interface Result {
  status: number;
  stdout: string;
  stderr: string;
}

/** An open connection that runs one command after the other. */
export interface Session {
  run(command: string, stdin: string): Promise<Result>;
  close(): void;
}

/** @throws Unreachable if the host does not answer; pulumi.RunError for a refused key or a wrong host key. */
export async function open(connection: KnownConnection): Promise<Session> {
  const { proxy, privateKey } = connection;
  const hops: Client[] = [];
  const close = () => {
    for (const hop of hops.splice(0).reverse()) hop.end();
  };
  try {
    if (proxy) hops.push(await dial(proxy, "host.proxy", privateKey));
    const through = proxy && (await tunnel(hops[0] as Client, connection));
    hops.push(await dial(connection, "host", privateKey, through));
    return { run: (command, stdin) => run(hops.at(-1) as Client, command, stdin), close };
  } catch (error) {
    close();
    throw error;
  }
}

/** The host does not answer. */
export class Unreachable extends Error {
  /** Error that ends an update, which cannot continue without the host. */
  readonly refusal: pulumi.RunError;
  constructor(message: string, refusal = refused(message)) {
    super(message);
    this.refusal = refusal;
  }
}

const refused = (message: string) =>
  new pulumi.RunError(
    `${message}\nMore: docs/authentik-deployment-guide.md#pulumi-says-cannot-be-reached-refuses-the-key-or-has-another-host-key`,
  );

type Hop = Pick<KnownConnection, "address" | "port" | "user" | "hostKey">;

function dial(hop: Hop, at: string, privateKey: string | undefined, sock?: ConnectConfig["sock"]): Promise<Client> {
  const { address, port, user: username, hostKey } = hop;
  const [kind = "", blob = ""] = hostKey.split(/\s+/);
  const expected = Buffer.from(blob, "base64");
  let offered: Buffer | undefined;
  const where = `${username}@${address}:${port}`;
  return new Promise((resolve, reject) => {
    const client = new Client();
    client.once("ready", () => resolve(client));
    // Not `once`: a second error may follow, and without a listener it would end the program.
    client.on("error", (error: Error & { level?: string; code?: string }) => {
      if (offered && !offered.equals(expected))
        return reject(
          refused(
            `${address} has another host key than ${at}.hostKey:\n  expected ${fingerprint(expected)}\n  offered  ${fingerprint(offered)}\n` +
              `If the host was reinstalled, read the key on its console (\`ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub\`) and set ${at}.hostKey to it. Otherwise the connection may be intercepted: do not continue.`,
          ),
        );
      if (error.level === "client-authentication")
        return reject(
          refused(
            `${where} refuses the key${privateKey ? " in gatehouse:sshKey" : "s of the SSH agent ($SSH_AUTH_SOCK)"}. ` +
              `Add the public key to ~${username}/.ssh/authorized_keys there, or set another key: \`pulumi config set --secret gatehouse:sshKey < KEYFILE\`.`,
          ),
        );
      if (/host key format|no matching host key/i.test(error.message))
        return reject(refused(`${address} has no host key of the type ${kind} that ${at}.hostKey specifies`));
      if (!offered || error.level === "client-socket" || error.level === "client-timeout" || error.code)
        return reject(
          new Unreachable(
            `${where} cannot be reached (${plain(error.message)}): check ${at}.address and ${at}.port, and that sshd runs there`,
          ),
        );
      reject(new pulumi.RunError(`${where}: ${plain(error.message)}`));
    });
    try {
      client.connect({
        host: address,
        port,
        username,
        privateKey,
        agent: privateKey ? undefined : process.env.SSH_AUTH_SOCK,
        sock,
        readyTimeout: 15_000,
        algorithms: { serverHostKey: [kind] as never },
        hostVerifier: (key: Buffer) => {
          offered = key;
          return key.equals(expected);
        },
      });
      // Otherwise each of a dozen small messages waits for the reply to the previous one: 0.2 s in total.
      client.setNoDelay(true);
    } catch (error) {
      // ssh2 throws immediately if it cannot parse a key.
      reject(refused(`gatehouse:sshKey is not a usable private key: ${(error as Error).message}`));
    }
  });
}

const tunnel = (client: Client, { address, port }: KnownConnection): Promise<ConnectConfig["sock"]> =>
  new Promise((resolve, reject) =>
    client.forwardOut("127.0.0.1", 0, address, port, (error, stream) =>
      error
        ? reject(new Unreachable(`${address}:${port} cannot be reached through host.proxy (${plain(error.message)})`))
        : resolve(stream),
    ),
  );

function run(client: Client, command: string, stdin: string): Promise<Result> {
  return new Promise((resolve, reject) => {
    client.exec(command, (error, stream) => {
      if (error) return reject(error);
      let stdout = "";
      let stderr = "";
      stream.on("data", (chunk: Buffer) => {
        stdout += chunk;
      });
      stream.stderr.on("data", (chunk: Buffer) => {
        stderr += chunk;
      });
      stream.on("close", (status: number) => resolve({ status, stdout, stderr: stderr.trim() }));
      stream.end(stdin);
    });
  });
}

/** Formats the error output of a failed command, with the remedy if sudo refuses. */
export function failureMessage({ address, user }: KnownConnection, stderr: string): string {
  if (/^sudo:/m.test(stderr))
    return (
      `${user}@${address} may not use sudo without a password (${stderr.split("\n").at(-1)}). ` +
      `Allow it there: echo '${user} ALL=(root) NOPASSWD: ALL' >/etc/sudoers.d/gatehouse`
    );
  return `${address}: ${stderr}`;
}

const fingerprint = (key: Buffer) => `SHA256:${createHash("sha256").update(key).digest("base64").replace(/=+$/, "")}`;
