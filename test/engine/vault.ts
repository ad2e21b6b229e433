// Stands in for the part of HashiCorp Vault that Pulumi uses. With a passphrase, each run of the CLI would spend a fifth
// of a second of processor time on deriving the key. The documents' commands and most files here use passphrases.
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { json } from "node:stream/consumers";

/** The secrets provider of a stack. */
export const VAULT = "hashivault://gatehouse";

/** It keeps no keys, so that a test decrypts what the set-up in another process encrypted. */
const server = createServer(async (request, response) => {
  const { plaintext, ciphertext } = (await json(request)) as { plaintext?: string; ciphertext?: string };
  const data = ciphertext
    ? { plaintext: ciphertext.replace(/^vault:v1:/, "") }
    : { ciphertext: `vault:v1:${plaintext}` };
  response.end(JSON.stringify({ data }));
});
server.listen(0, "127.0.0.1").unref();
await once(server, "listening");

/** The variable by which the CLI finds it. */
export const vault = { VAULT_ADDR: `http://127.0.0.1:${(server.address() as AddressInfo).port}` };
