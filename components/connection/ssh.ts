// SSH connections to a host, optionally through a proxy, and commands over them.
import { createHash } from "node:crypto";
import * as pulumi from "@pulumi/pulumi";
import { Client, type ConnectConfig } from "ssh2";
import { plain } from "../render/plain.ts";
import type { CompleteConnection } from "./connection.ts";
import { checkAgent, readableKey, UnusableKey } from "./keys.ts";

/** A connection in which all values are known. */
export type KnownConnection = pulumi.Unwrap<CompleteConnection>;

export interface Result {
  /** Exit status; undefined if the command was not run to its end. */
  status: number | undefined;
  stdout: string;
  stderr: string;
}

/** An open connection that runs one command after the other. */
export interface Session {
  run(command: string, stdin: string): Promise<Result>;
  close(): void;
}

/** @throws Unreachable if the host does not answer; pulumi.RunError for an unusable or refused key, or a wrong host key. */
export async function open(connection: KnownConnection): Promise<Session> {
  const { proxy } = connection;
  const privateKey = await loginKey(connection);
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

/** The private key of the connection as ssh2 reads it; undefined if the keys of the SSH agent are used. */
async function loginKey({ privateKey }: KnownConnection): Promise<string | undefined> {
  try {
    await checkAgent(privateKey !== undefined);
    return privateKey === undefined ? undefined : readableKey(privateKey);
  } catch (error) {
    throw error instanceof UnusableKey ? refused(error.message) : error;
  }
}

/** A failure that a host may have only while it starts: its accounts are not there yet, or it restarts once. */
export class Premature extends pulumi.RunError {}

/** The remedy if a host does not answer because it is gone. */
export const ABANDONED =
  "If the host no longer exists, set host.abandoned to true and run `pulumi destroy --run-program`";

/** The host does not answer. */
export class Unreachable extends Error {
  /** Error that ends an update or a destroy, which cannot continue without the host. */
  readonly refusal: pulumi.RunError;
  constructor(message: string, refusal = refused(`${message}. ${ABANDONED}.`)) {
    super(message);
    this.refusal = refusal;
  }
}

const MORE = "docs/authentik-deployment-guide.md#pulumi-says-cannot-be-reached-refuses-the-key-or-has-another-host-key";
const refused = (message: string, Kind = pulumi.RunError) => new Kind(`${message}\nMore: ${MORE}`);

type Hop = Pick<KnownConnection, "address" | "port" | "user" | "hostKey">;

function dial(hop: Hop, at: string, privateKey: string | undefined, sock?: ConnectConfig["sock"]): Promise<Client> {
  const { address, port, user: username, hostKey } = hop;
  const [kind = "", blob = ""] = hostKey.split(/\s+/);
  const expected = Buffer.from(blob, "base64");
  let offered: Buffer | undefined;
  let connected = false;
  const where = `${username}@${address}:${port}`;
  return new Promise((resolve, reject) => {
    const client = new Client();
    client.once("ready", () => resolve(client));
    client.once("connect", () => {
      connected = true;
    });
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
              `Add the public key to ~${username}/.ssh/authorized_keys there, or set another key: \`pulumi config set --secret gatehouse:sshKey < KEYFILE\`.` +
              (username === "root"
                ? ` If \`sshd -T | grep permitrootlogin\` prints no there, root cannot log in: set ${at}.user to a user with passwordless sudo${at === "host" ? ", and host.sudo to true" : ""}.`
                : ""),
            Premature,
          ),
        );
      if (/host key format|no matching host key/i.test(error.message))
        return reject(refused(`${address} has no host key of the type ${kind} that ${at}.hostKey specifies`));
      if (/no matching/i.test(error.message))
        return reject(
          refused(
            `${where} and this program have no algorithm in common (${plain(error.message)}): sshd there permits others only. ` +
              "Its lists: `sshd -T | grep -iE '^(kexalgorithms|ciphers|macs)'`; add one such as curve25519-sha256, aes256-gcm@openssh.com or hmac-sha2-256-etm@openssh.com to the list that lacks it",
          ),
        );
      if (connected && !offered && error.level !== "client-timeout") {
        const message =
          `${where} cannot be reached: it accepts the connection, but ends it before the handshake (${plain(error.message)}). ` +
          "sshd and firewalls do this for a while after failed logins or many connections at once (PerSourcePenalties and MaxStartups of sshd, fail2ban, a rate limit): wait a minute and run this again. " +
          `If it stays like this, check ${at}.address and ${at}.port, and the log of sshd there (\`journalctl --unit ssh\`)`;
        return reject(new Unreachable(message, refused(message)));
      }
      if (!offered || error.level === "client-socket" || error.level === "client-timeout" || error.code)
        return reject(
          new Unreachable(
            `${where} cannot be reached (${plain(error.message)}): check ${at}.address and ${at}.port, and that sshd runs there`,
          ),
        );
      reject(new pulumi.RunError(`${where}: ${plain(error.message)}`));
    });
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
  });
}

const tunnel = (client: Client, { address, port }: KnownConnection): Promise<ConnectConfig["sock"]> =>
  new Promise((resolve, reject) =>
    client.forwardOut("127.0.0.1", 0, address, port, (error, stream) =>
      error
        ? reject(
            new Unreachable(
              `${address}:${port} cannot be reached through host.proxy (${plain(error.message)}): check host.address and host.port, as seen from the proxy, and that its sshd forwards (\`sshd -T | grep -i allowtcpforwarding\`)`,
            ),
          )
        : resolve(stream),
    ),
  );

function run(client: Client, command: string, stdin: string): Promise<Result> {
  return new Promise((resolve) => {
    client.exec(command, (error, stream) => {
      if (error) return resolve({ status: undefined, stdout: "", stderr: error.message });
      let stdout = "";
      let stderr = "";
      stream.on("data", (chunk: Buffer) => {
        stdout += chunk;
      });
      stream.stderr.on("data", (chunk: Buffer) => {
        stderr += chunk;
      });
      stream.on("close", (status: number | null | undefined) =>
        resolve({ status: status ?? undefined, stdout, stderr: stderr.trim() }),
      );
      stream.end(stdin);
    });
  });
}

/**
 * Whether the user's login shell runs commands. A shell such as nologin, or a command that sshd or authorized_keys forces,
 * has output and an exit status of its own.
 */
export async function runsCommands(session: Session): Promise<boolean> {
  const word = "gatehouse-shell";
  const { stdout } = await session.run(`echo ${word}`, "");
  // A greeting may come first.
  return stdout.endsWith(`${word}\n`);
}

/** The message for a user whose login shell runs no commands. */
export const noShell = ({ address, user }: KnownConnection): string =>
  `${user}@${address} accepts the login, but runs no commands: the login shell of ${user} (\`getent passwd ${user}\`) is one such as nologin, or a command is forced (ForceCommand in sshd_config, command= in authorized_keys). ` +
  `Allow commands there (\`usermod --shell /bin/sh ${user}\`), or set host.user to another user.`;

/** Explains a result that is not the expected output, with the remedy if sudo refuses. */
export function failureMessage({ address, user }: KnownConnection, { status, stdout, stderr }: Result): string {
  const errors = plain(stderr);
  if (/^sudo:/m.test(errors))
    return (
      `${user}@${address} may not use sudo without a password (${errors.split("\n").at(-1)}). ` +
      `Allow it there: echo '${user.replaceAll("@", "\\@")} ALL=(root) NOPASSWD: ALL' >/etc/sudoers.d/gatehouse`
    );
  if (status === 0)
    return `${address} printed ${JSON.stringify(plain(stdout.split("\n", 1)[0] ?? ""))} instead of facts. A shell that is not interactive must not print anything itself.`;
  if (status === undefined)
    return `${address} did not run a command to its end${errors && ` (${errors})`}: run this again; if it happens again, the log of sshd there has the reason (\`journalctl --unit ssh\`)`;
  return `${address}: ${errors || `exit status ${status}`}`;
}

const fingerprint = (key: Buffer) => `SHA256:${createHash("sha256").update(key).digest("base64").replace(/=+$/, "")}`;
