import type { Fault } from "../schema/faults.ts";
import { INCOMPLETE, keyFault, NOT_PRIVATE, WITHOUT_PASSPHRASE } from "../schema/private-key.ts";
import type { Repository } from "./schema.ts";

// The format that pgbackrest.conf and a credentials file require.
const ONE_LINE = /^[^\s\p{Cc}]([^\p{Cc}]*[^\s\p{Cc}])?\n?$/u;

/** A fault in a secret, and whether the remedy is to set it or to remove it. */
export type SecretFault = Fault & { remedy?: "set" | "remove" };

/** Faults in the secrets of a backup for a repository, which may be invalid itself. Messages do not contain values. */
export function* secretFaults(
  { sftp, s3 }: Partial<Record<keyof Repository, unknown>>,
  { key, passphrase }: Partial<Record<"key" | "passphrase", unknown>>,
): Generator<SecretFault> {
  const opens = sftp ? "the private key for backup.repository.sftp" : s3 && "the secret of backup.repository.s3.keyId";
  if (opens && key === undefined) yield { path: ["key"], message: `expected ${opens}`, remedy: "set" };
  if (!opens && key !== undefined) yield { path: ["key"], message: "is not used", remedy: "remove" };
  const fault = sftp && key !== undefined ? keyFault(String(key)) : undefined;
  if (fault) yield { path: ["key"], message: KEY_FAULTS[fault], remedy: "set" };
  for (const [name, text] of Object.entries({ key: sftp ? undefined : key, passphrase }))
    if (text !== undefined && !ONE_LINE.test(String(text)))
      yield { path: [name], message: "expected one line without leading or trailing blanks" };
}

const KEY_FAULTS = {
  "not private": NOT_PRIVATE,
  incomplete: INCOMPLETE,
  passphrase: `has a passphrase, which a backup cannot ask for: ${WITHOUT_PASSPHRASE}`,
};

/** A private key as programs read it: its last line ends. Any other secret is one line, without the end. */
export const wholeKey = (key: string): string => (key.endsWith("\n") ? key : `${key}\n`);
export const oneLine = (secret: string): string => secret.replace(/\n$/, "");
