// The policy pack as an operator runs it: the real program, the real engine, and a fresh stack in a file backend.
import { execFile } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { SMALL, SSH_KEY } from "../components/program.ts";

const ROOT = resolve(import.meta.dirname, "../..");
const PARTS = ["index.ts", "components", "templates", "node_modules", "package.json", "Pulumi.yaml"];
let folder: string;
let secret: string;

function pulumi(args: string[], input = ""): Promise<{ status: number; text: string }> {
  const env = { ...process.env, GATEHOUSE_DRIFT: "off", PULUMI_CONFIG_PASSPHRASE: "policy test" };
  const options = { cwd: folder, env: { ...env, PULUMI_BACKEND_URL: `file://${folder}/backend` } };
  return new Promise((done) => {
    const child = execFile("pulumi", [...args, "--non-interactive", "--color", "never"], options, (error, out, err) =>
      done({ status: error ? Number(error.code) : 0, text: out + err }),
    );
    child.stdin?.on("error", () => {});
    child.stdin?.end(input);
  });
}

/** Previews the smallest stack with these additional settings. */
function preview(authentik: object, more: Record<string, object> = {}, kept = secret) {
  const settings = { ...SMALL, authentik: { ...SMALL.authentik, ...authentik }, ...more };
  const lines = Object.entries(settings).map(([key, value]) => `  gatehouse:${key}: ${JSON.stringify(value)}\n`);
  writeFileSync(join(folder, "Pulumi.test.yaml"), kept + lines.join(""));
  return pulumi(["preview", "--stack", "test", "--policy-pack", join(ROOT, "policy")]);
}

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "policy-test-"));
  mkdirSync(join(folder, "backend"));
  for (const part of PARTS) symlinkSync(join(ROOT, part), join(folder, part));
  expect(await pulumi(["stack", "init", "test"])).toMatchObject({ status: 0 });
  const set = ["config", "set", "--secret", "gatehouse:sshKey", "--stack", "test"];
  expect(await pulumi(set, SSH_KEY)).toMatchObject({ status: 0 });
  secret = readFileSync(join(folder, "Pulumi.test.yaml"), "utf8");
  expect(secret).not.toContain("PRIVATE KEY");
});
afterAll(() => rmSync(folder, { recursive: true }));

test("an ordinary stack passes; a missing digest only causes advice", async () => {
  const { status, text } = await preview({});
  expect(text).toMatch(/\[advisory\].*image-digests/);
  expect(text).toMatch(/server:2026\.8\.3 has no digest/);
  expect(text).not.toContain("[mandatory]");
  expect(status, text).toBe(0);
});

/** A program beside the platform, with one app. */
const APP = `import { App } from "./components/app/app.ts";
import { debian } from "./components/distribution/debian.ts";
import { Host } from "./components/host/host.ts";
const host = new Host("host", { connection: ${JSON.stringify(SMALL.host)}, platform: debian });
new App("wiki", { host, containers: { web: { image: "docker.io/library/wiki:1.4" } } });
`;

test("with policy.requireDigest a missing digest fails the preview, of authentik and of an app, and a digest passes", async () => {
  const policy = { requireDigest: true };
  const without = await preview({}, { policy });
  expect(without.text).toContain("authentik.digest: expected the digest of the image");
  expect(without.status).not.toBe(0);
  const main = join(folder, "index.ts");
  rmSync(main);
  writeFileSync(main, APP);
  const app = await preview({}, { policy });
  expect(app.text).toMatch(/\[mandatory\].*image-digests/);
  expect(app.text).toMatch(/wiki:1\.4 has no digest/);
  expect(app.status).not.toBe(0);
  rmSync(main);
  symlinkSync(join(ROOT, "index.ts"), main);
  const pinned = await preview({ digest: `sha256:${"5".repeat(64)}` }, { policy });
  expect(pinned.text).not.toContain("image-digests");
  expect(pinned.status, pinned.text).toBe(0);
});

test("a port of an app that other machines reach fails the preview, and passes where it is allowed", async () => {
  const web = {
    image: "docker.io/library/wiki:1.4",
    ports: [{ port: 22, publish: 2222, address: "*" }],
    secrets: { "admin-password": "generated" },
  };
  const apps = { wiki: { containers: { web } } };
  const refused = await preview({}, { apps });
  expect(refused.text).toMatch(/\[mandatory\].*loopback-only/);
  expect(refused.text).toContain('or allow it with policy.ports: ["*:2222/tcp"]');
  expect(refused.status).not.toBe(0);
  const allowed = await preview({}, { apps, policy: { ports: ["*:2222/tcp"] } });
  expect(allowed.text).not.toContain("[mandatory]");
  expect(allowed.status, allowed.text).toBe(0);
});

test("a secret in plain text fails the preview, and is not shown", async () => {
  const { status, text } = await preview({ environment: { AUTHENTIK_EMAIL__PASSWORD: "hunter2" } });
  expect(text).toMatch(/\[mandatory\].*plain-secrets/);
  expect(text).toMatch(/AUTHENTIK_EMAIL__PASSWORD looks like a secret/);
  expect(status).not.toBe(0);
});

test("the passphrase of the backups is secret, and passes", async () => {
  const file = join(folder, "Pulumi.test.yaml");
  writeFileSync(file, secret);
  const set = ["config", "set", "--secret", "gatehouse:backupPassphrase", "--stack", "test"];
  expect(await pulumi(set, "of the lost state")).toMatchObject({ status: 0 });
  const backup = { repository: { path: "/srv/backups" } };
  const { status, text } = await preview({}, { backup }, readFileSync(file, "utf8"));
  expect(text).not.toContain("plain-secrets");
  expect(status, text).toBe(0);
});
