// Backups in a bucket: a real service with the S3 protocol over TLS, which verifies the signature of every request.
// Folders, restores and drills of all kinds are in backup.test.ts; these tests cover only differences between
// repositories.
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, test as always, beforeAll, expect } from "vitest";
import { ROOT } from "../../documents/blocks.ts";
import { BACKED_UP, EXHAUSTIVE, Lab, run } from "../support/lab.ts";
import { Stack } from "../support/stack.ts";

// Building the service takes minutes, and S3 rarely changes, so only `make test-all` runs these tests.
const test = always.runIf(EXHAUSTIVE);

const [NAME, PORT, BUCKET, KEY_ID] = ["s3.lab.internal", 9443, "gatehouse-backups", "AKIAOFTHELAB"] as const;
const SECRET = "the/secret+of=the.access_key";
const NEXT_SECRET = "the/secret+of=the.next_key";
const UPLOADS = "/var/lib/authentik/data";
const folder = mkdtempSync(join(tmpdir(), "gatehouse-bucket-"));
/** The service's storage: a bucket is a folder, an object a file; and its metadata. */
const [BUCKETS, ABOUT] = [join(folder, "buckets", BUCKET), join(folder, "about")];
const [CERTIFICATE, KEY] = [join(folder, "cert.pem"), join(folder, "key.pem")];
let host: Lab;
let stack: Stack;
let program: string;
let service: ChildProcess | undefined;

beforeAll(async () => {
  if (!EXHAUSTIVE) return;
  host = await Lab.stocked("bucket", "2026.8.3");
  for (const part of [BUCKETS, ABOUT]) mkdirSync(part, { recursive: true });
  const built = await run(join(ROOT, "test/lab/bucket"), []);
  expect(built.status, built.text).toBe(0);
  program = built.text.trim().split("\n").at(-1) as string;
  await introduce();
  await serve(SECRET);
  const s3 = { endpoint: `${NAME}:${PORT}`, bucket: BUCKET, path: "/prod", keyId: KEY_ID };
  stack = await Stack.create(host, {
    postgres: { databases: { ledger: {} } },
    backup: { repository: { s3 } },
  });
  stack.settings.authentik.deadline = 30;
});
afterAll(async () => {
  service?.kill();
  await host?.destroy();
  stack?.remove();
  rmSync(folder, { recursive: true });
});

/**
 * Resolves the service's name to this machine's end of the cable to the host, and makes the host trust its certificate.
 */
async function introduce(): Promise<void> {
  const request = `req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -noenc -days 2 -subj /CN=${NAME} -addext subjectAltName=DNS:${NAME}`;
  execFileSync("openssl", [...request.split(" "), "-keyout", KEY, "-out", CERTIFICATE], { stdio: "ignore" });
  await host.sh(
    `echo '${host.gateway} ${NAME}' >>/etc/hosts && echo '${readFileSync(CERTIFICATE, "utf8")}' >/usr/local/share/ca-certificates/lab.crt && update-ca-certificates`,
  );
}

async function serve(secret: string): Promise<void> {
  const tls = ["--port", `${host.gateway}:${PORT}`, "--cert", CERTIFICATE, "--key", KEY];
  service = spawn(program, ["--quiet", ...tls, "posix", "--sidecar", ABOUT, dirname(BUCKETS)], {
    env: { ...process.env, ROOT_ACCESS_KEY_ID: KEY_ID, ROOT_SECRET_ACCESS_KEY: secret },
    stdio: "ignore",
  });
  await host.awaits(`curl --silent --output /dev/null https://${NAME}:${PORT}/`);
}

async function goAway(): Promise<void> {
  const ended = once(service as ChildProcess, "exit");
  service?.kill("SIGKILL");
  await ended;
}

const sql = (statement: string) => host.sh(`cd / && su postgres -c "psql -XqAt -d ledger" <<'SQL'\n${statement}\nSQL`);
const backUp = async (): Promise<string> => JSON.parse((await host.sh("gatehouse backup 2>/dev/null")) || "{}").backup;
const stored = () => execFileSync("find", [BUCKETS, "-type", "f"], { encoding: "utf8" });

test("a secret that the service refuses: nothing goes live, and the error quotes the service", async () => {
  await stack.setSecret("backupKey", "another secret");
  const { status, text } = await stack.up();
  expect(status).not.toBe(0);
  expect(text).toMatch(/the repository of folders in s3:\/\/\S+ cannot be used:\n.*Access Denied/);
  expect(text).not.toContain("another secret");
  expect(stored()).toBe("");
  expect((await host.try("systemctl is-enabled gatehouse-backup.timer")).status).not.toBe(0);
});

test("the first `up` creates the repositories and takes a backup; the second changes nothing", async () => {
  await stack.setSecret("backupKey", SECRET);
  const { status, text } = await stack.up();
  expect(status, text).toBe(0);
  await host.awaits(BACKED_UP);
  const known = JSON.parse((await host.try("gatehouse backups --json")).text);
  expect(known).toMatchObject({ healthy: true, repository: `s3://${NAME}:${PORT}/${BUCKET}/prod` });
  expect(known.backups.map(({ kind }: { kind: string }) => kind)).toEqual(["full"]);
  expect(Object.keys((await stack.up("--expect-no-changes")).counts)).toEqual(["unchanged"]);
});

test("both repositories are below the folder of the bucket, and their contents are encrypted", async () => {
  await sql(
    "CREATE TABLE plain (word text); INSERT INTO plain SELECT 'legible-in-the-clear' FROM generate_series(1, 500)",
  );
  await host.sh(`echo legible-in-the-clear >${UPLOADS}/word`);
  await backUp();
  for (const repository of ["files/data/", "postgres/backup/main/", "postgres/archive/main/"])
    expect(stored()).toContain(join(BUCKETS, "prod", repository));
  const holding = (words: string) => run("grep", ["--recursive", "--files-with-matches", words, folder]);
  expect((await holding("legible-in-the-clear")).text).toBe("");
  // The lists are not compressed, so only the encryption makes them unreadable.
  expect(stored()).toContain("/backup.info");
  expect((await holding("backrest-format")).text).toBe("");
  expect((await holding("PRIVATE KEY")).text, "it reads the existing data").toContain("key.pem");
});

test("a restore by name restores database and files, and a drill finds all of them", async () => {
  const name = await backUp();
  await sql("UPDATE plain SET word = 'later'");
  await host.sh(`echo later >${UPLOADS}/word`);
  const { status, text } = await host.try(`gatehouse restore --to ${name}`);
  expect(status, text).toBe(0);
  expect(await sql("SELECT DISTINCT word FROM plain")).toBe("legible-in-the-clear");
  expect(await host.sh(`cat ${UPLOADS}/word`)).toBe("legible-in-the-clear");
  await host.awaits(BACKED_UP);
  await host.sh("gatehouse restore --confirm");
  const drilled = await host.try("gatehouse drill");
  expect(drilled.status, drilled.text).toBe(0);
});

test("a new key after the old one was revoked goes live", async () => {
  await goAway();
  await serve(NEXT_SECRET);
  expect((await host.try("gatehouse backup")).text).toMatch(/cannot be read:\n.*SignatureDoesNotMatch/s);
  await stack.setSecret("backupKey", NEXT_SECRET);
  const { status, text } = await stack.up();
  expect(status, text).toBe(0);
  expect(await backUp()).toMatch(/^\d{8}/);
});

test("the secret is in no log of the host, and in one file below /etc, which root and postgres can read", async () => {
  expect((await host.try(`journalctl -o cat | grep -cF '${NEXT_SECRET}'`)).text.trim()).toBe("0");
  const holding = await host.sh(`grep -rlF '${NEXT_SECRET}' /etc /var/log | xargs stat -c '%a %U:%G %n'`);
  expect(holding).toBe("640 root:postgres /etc/pgbackrest/pgbackrest.conf");
});

test("if the service is unavailable, the backup fails and reports it, and the next one afterwards succeeds", async () => {
  await goAway();
  const failed = await host.try("gatehouse backup");
  expect(failed.status, failed.text).not.toBe(0);
  expect(failed.text).toMatch(/the repository of PostgreSQL in s3:\S+ cannot be read:\n.*Connection refused/);
  await serve(NEXT_SECRET);
  expect(await backUp()).toMatch(/^\d{8}/);
  const { status, text } = await host.try("gatehouse status");
  expect(status, text).toBe(0);
});
