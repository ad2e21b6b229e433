/** Why a key cannot be used without a person at the keyboard, by its text alone. */
export type KeyFault = "not private" | "incomplete" | "passphrase";

/** Parts of the messages: what is wrong, and how to create a key without a passphrase. */
export const NOT_PRIVATE =
  "is not a private key in OpenSSH or PEM format, which begins with -----BEGIN ... PRIVATE KEY-----";
export const INCOMPLETE =
  "is only a part of a private key, or has lost its line breaks: its first line, -----BEGIN ... PRIVATE KEY-----, is there, but not all lines up to -----END ... PRIVATE KEY-----";
export const WITHOUT_PASSPHRASE = "create a key without one (`ssh-keygen -t ed25519 -N '' -f KEYFILE`)";

/** The first bytes of a key in OpenSSH's format. */
export const OPENSSH = Buffer.from("openssh-key-v1\0");

/** The fault of a private key; undefined if it has none. Whether its numbers are valid is not checked. */
export function keyFault(key: string): KeyFault | undefined {
  const [, label = "", rest = ""] = /-----BEGIN ([A-Z0-9 ]+)-----([\s\S]*)/.exec(key) ?? [];
  if (!label.endsWith("PRIVATE KEY")) return "not private";
  const [, body] = /^\r?\n([\s\S]*?)-----END/.exec(rest) ?? [];
  if (body === undefined) return "incomplete";
  return isEncrypted(label, body) ? "passphrase" : undefined;
}

/** Each format states in its own way that a passphrase is needed. */
function isEncrypted(label: string, body: string): boolean {
  if (label === "ENCRYPTED PRIVATE KEY" || /^Proc-Type: *4,ENCRYPTED/m.test(body)) return true;
  if (label !== "OPENSSH PRIVATE KEY") return false;
  const bytes = Buffer.from(body, "base64");
  const named = bytes.subarray(OPENSSH.length);
  if (!bytes.subarray(0, OPENSSH.length).equals(OPENSSH) || named.length < 4) return false;
  return named.toString("latin1", 4, 4 + named.readUInt32BE(0)) !== "none";
}
