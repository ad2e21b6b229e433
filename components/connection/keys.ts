// The keys that a login uses: a private key of the configuration, or those of the SSH agent.
import { createPrivateKey, type KeyObject } from "node:crypto";
import ssh2 from "ssh2";
import { INCOMPLETE, keyFault, NOT_PRIVATE, OPENSSH, WITHOUT_PASSPHRASE } from "../schema/private-key.ts";

/** A login key that cannot be used; the message names the cause and the remedy. */
export class UnusableKey extends Error {}

const SET_KEY = "`pulumi config set --secret gatehouse:sshKey < KEYFILE`";

/**
 * A private key in a format that ssh2 reads. The command plugin also reads PKCS#8, and a key below other lines, which
 * ssh2 does not.
 *
 * @throws UnusableKey for a key with a passphrase, a part of a key, a public key, or another format.
 */
export function readableKey(key: string): string {
  const fault = keyFault(key);
  if (fault === "not private")
    throw new UnusableKey(`gatehouse:sshKey ${NOT_PRIVATE}: ${SET_KEY}, with the file of the private key`);
  if (fault === "incomplete") throw new UnusableKey(`gatehouse:sshKey ${INCOMPLETE}: ${SET_KEY}, with the whole file`);
  if (fault === "passphrase")
    throw new UnusableKey(
      `gatehouse:sshKey has a passphrase, which a deployment cannot ask for: ${WITHOUT_PASSPHRASE} and set it with ${SET_KEY}, or remove gatehouse:sshKey and use the SSH agent (\`ssh-add KEYFILE\`)`,
    );
  try {
    const alone = key.slice(key.indexOf("-----BEGIN "));
    const readable = alone.startsWith("-----BEGIN PRIVATE KEY-----") ? fromPkcs8(createPrivateKey(alone)) : alone;
    const parsed = ssh2.utils.parseKey(readable);
    if (parsed instanceof Error) throw parsed;
    return readable;
  } catch (error) {
    throw new UnusableKey(
      `gatehouse:sshKey is not a usable private key (${(error as Error).message}): set a whole one, of type ed25519, ECDSA or RSA, with ${SET_KEY}`,
    );
  }
}

function fromPkcs8(key: KeyObject): string {
  const { asymmetricKeyType: type } = key;
  if (type === "rsa") return String(key.export({ type: "pkcs1", format: "pem" }));
  if (type === "ec") return String(key.export({ type: "sec1", format: "pem" }));
  if (type === "ed25519") return ed25519(key);
  throw new Error(`keys of type ${type} are not supported`);
}

/** An Ed25519 key in OpenSSH's format, the only one in which ssh2 reads this type. */
function ed25519(key: KeyObject): string {
  const { d = "", x = "" } = key.export({ format: "jwk" });
  const [seed, point] = [Buffer.from(d, "base64url"), Buffer.from(x, "base64url")];
  const field = (bytes: Buffer | string) => {
    const length = Buffer.alloc(4);
    length.writeUInt32BE(bytes.length);
    return Buffer.concat([length, Buffer.from(bytes)]);
  };
  const type = field("ssh-ed25519");
  // Two equal check numbers, the key, an empty comment, and padding to a multiple of eight bytes.
  const secret = Buffer.concat([Buffer.alloc(8), type, field(point), field(Buffer.concat([seed, point])), field("")]);
  const padding = Buffer.from([1, 2, 3, 4, 5, 6, 7].slice(0, (8 - (secret.length % 8)) % 8));
  const one = Buffer.from([0, 0, 0, 1]);
  const whole = [
    OPENSSH,
    ...["none", "none", ""].map(field),
    one,
    field(Buffer.concat([type, field(point)])),
    field(Buffer.concat([secret, padding])),
  ];
  const lines = Buffer.concat(whole).toString("base64").replace(/.{70}/g, "$&\n").trimEnd();
  return `-----BEGIN OPENSSH PRIVATE KEY-----\n${lines}\n-----END OPENSSH PRIVATE KEY-----\n`;
}

/**
 * Checks the SSH agent. It must answer even if there is a private key: the command plugin connects to the agent whenever
 * $SSH_AUTH_SOCK is set, and fails otherwise.
 *
 * @throws UnusableKey if the agent does not answer, or if there is neither a private key nor a key in the agent.
 */
export async function checkAgent(hasPrivateKey: boolean, socket = process.env.SSH_AUTH_SOCK): Promise<void> {
  if (!socket) {
    if (hasPrivateKey) return;
    throw new UnusableKey(
      `there is no SSH key to log in with: gatehouse:sshKey is not set, and no SSH agent runs ($SSH_AUTH_SOCK is not set): ${SET_KEY}, or start an agent (\`eval "$(ssh-agent)" && ssh-add KEYFILE\`)`,
    );
  }
  const keys = await agentKeys(socket);
  if (keys === undefined)
    throw new UnusableKey(
      `the SSH agent of $SSH_AUTH_SOCK (${socket}) does not answer, and the connection needs it${hasPrivateKey ? " although gatehouse:sshKey is set, because Pulumi's command plugin asks every agent that is configured" : ""}: ${hasPrivateKey ? "`unset SSH_AUTH_SOCK`" : `start one (\`eval "$(ssh-agent)" && ssh-add KEYFILE\`), or ${SET_KEY} and \`unset SSH_AUTH_SOCK\``}`,
    );
  if (keys === 0 && !hasPrivateKey)
    throw new UnusableKey(
      `the SSH agent of $SSH_AUTH_SOCK has no keys, and gatehouse:sshKey is not set: \`ssh-add KEYFILE\`, or ${SET_KEY}`,
    );
}

/** How long an agent may take to answer, in milliseconds. One that is suspended accepts the connection all the same. */
const PATIENCE = 5000;

/** The number of keys in an agent; undefined if it does not answer. */
const agentKeys = (socket: string): Promise<number | undefined> =>
  new Promise((resolve) => {
    const late = setTimeout(() => resolve(undefined), PATIENCE);
    ssh2.createAgent(socket).getIdentities((_, keys) => {
      clearTimeout(late);
      resolve(keys?.length);
    });
  });
