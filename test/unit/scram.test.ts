import { execFileSync } from "node:child_process";
import { expect, test } from "vitest";
import { scramVerifier } from "../../components/postgres/manifest.ts";

// The example exchange of RFC 7677, section 3: user "user", password "pencil".
const SALT = Buffer.from("W22ZaJ0SNY7soEsUEjb6gQ==", "base64");

/** The same, computed by Python's standard library. */
const byPython = (password: string, salt: Buffer, iterations: number) =>
  execFileSync(
    "python3",
    [
      "-ISc",
      `
import base64, hashlib, hmac, sys
password, salt, iterations = sys.argv[1].encode(), base64.b64decode(sys.argv[2]), int(sys.argv[3])
salted = hashlib.pbkdf2_hmac("sha256", password, salt, iterations)
key = lambda name: hmac.digest(salted, name, "sha256")
text = lambda data: base64.b64encode(data).decode()
print(f"SCRAM-SHA-256\${iterations}:{text(salt)}\${text(hashlib.sha256(key(b'Client Key')).digest())}:{text(key(b'Server Key'))}", end="")`,
      password,
      salt.toString("base64"),
      String(iterations),
    ],
    { encoding: "utf8" },
  );

test("the verifier's parts match the exchange in RFC 7677", () => {
  const [, stored, server] = /\$([^$:]+):([^:]+)$/.exec(scramVerifier("pencil", SALT)) as unknown as string[];
  const proved = execFileSync(
    "python3",
    [
      "-ISc",
      `
import base64, hashlib, hmac, sys
stored, server = (base64.b64decode(a) for a in sys.argv[1:])
nonce = "rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
message = f"n=user,r=rOprNGfwEbeRWgbNEkqO,r={nonce},s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096,c=biws,r={nonce}".encode()
proof = base64.b64decode("dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=")
client = bytes(a ^ b for a, b in zip(proof, hmac.digest(stored, message, "sha256")))
print(hashlib.sha256(client).digest() == stored, base64.b64encode(hmac.digest(server, message, "sha256")).decode())`,
      stored as string,
      server as string,
    ],
    { encoding: "utf8" },
  );
  // The client's proof matches the stored key, and the server's signature is that of the RFC.
  expect(proved).toBe("True 6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=\n");
});

test.each([
  ["pencil", 4096],
  ["A1b2C3d4E5f6G7h8A1b2C3d4E5f6G7h8A1b2C3d4E5f6G7h8", 4096],
  ["with blanks and 'quotes'", 10_000],
])("the verifier of %j with %i iterations matches Python's", (password, iterations) => {
  expect(scramVerifier(password, SALT, iterations)).toBe(byPython(password, SALT, iterations));
});

test("it has PostgreSQL's format, and another password or salt produces another one", () => {
  expect(scramVerifier("pencil", SALT)).toMatch(
    /^SCRAM-SHA-256\$4096:W22ZaJ0SNY7soEsUEjb6gQ==\$[A-Za-z0-9+/]{43}=:[A-Za-z0-9+/]{43}=$/,
  );
  expect(scramVerifier("pencil", SALT)).toBe(scramVerifier("pencil", SALT));
  expect(scramVerifier("pencil2", SALT)).not.toBe(scramVerifier("pencil", SALT));
  expect(scramVerifier("pencil", Buffer.alloc(16))).not.toBe(scramVerifier("pencil", SALT));
});
