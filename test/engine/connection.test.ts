// Another SSH key: Pulumi removes a resource over the connection in its state. The host is none: it answers as the agent would.
import { execFile } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { host } from "../plan/host.ts";
import { newKey, type Sshd } from "../unit/sshd.ts";

const ROOT = resolve(import.meta.dirname, "../..");
const PARTS = ["components", "protocol", "templates", "node_modules", "package.json", "Pulumi.yaml"];
const PROGRAM = `import { debian } from "./components/distribution/debian.ts";
import { Host } from "./components/host/host.ts";
import { Release } from "./components/host/release.ts";
const { PORT, HOST_KEY, KEY, RELEASES } = process.env;
const connection = { address: "127.0.0.1", port: Number(PORT), hostKey: HOST_KEY, privateKey: KEY };
const host = new Host("host", { connection, platform: debian });
for (const name of RELEASES.split(" ")) new Release(name, { host, manifest: {} });
`;
let folder: string;
let server: Sshd;
const keys = { old: newKey(), next: newKey(), last: newKey() };

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "connection-test-"));
  mkdirSync(join(folder, "backend"));
  for (const part of PARTS) symlinkSync(join(ROOT, part), join(folder, part));
  writeFileSync(join(folder, "index.ts"), PROGRAM);
  server = await host();
  await pulumi("stack init test");
});
afterAll(async () => {
  await server.close();
  rmSync(folder, { recursive: true });
});

function pulumi(args: string, variables: NodeJS.ProcessEnv = {}): Promise<{ status: number; text: string }> {
  const env = {
    ...process.env,
    PULUMI_BACKEND_URL: `file://${folder}/backend`,
    PULUMI_CONFIG_PASSPHRASE: "connection test",
    PORT: String(server.port),
    HOST_KEY: server.hostKey,
    ...variables,
  };
  return new Promise((done) =>
    execFile("pulumi", [...args.split(" "), "--non-interactive"], { cwd: folder, env }, (error, stdout, stderr) =>
      done({ status: error ? Number(error.code) : 0, text: stdout + stderr }),
    ),
  );
}
const up = (key: keyof typeof keys, ...releases: string[]) =>
  pulumi("up --yes --skip-preview --stack test", { KEY: keys[key].private, RELEASES: releases.join(" ") });
const removed = () => server.asked.filter(({ command }) => command.startsWith("gatehouse remove blog ")).length;
const lets = (...names: (keyof typeof keys)[]) => server.allow(...names.map((name) => keys[name].public));

test("with both keys on the host, a release is removed in the `up` that changes the key", async () => {
  lets("old");
  expect(await up("old", "wiki", "blog")).toMatchObject({ status: 0 });
  lets("old", "next");
  expect(await up("next", "wiki")).toMatchObject({ status: 0 });
  expect(removed()).toBe(1);
  lets("next");
  expect(await up("next", "wiki", "blog")).toMatchObject({ status: 0 });
});

test("with the new key alone it is not: the release has to come back first, and is then removed", async () => {
  lets("last");
  const { status, text } = await up("last", "wiki");
  expect(status).not.toBe(0);
  expect(text).toMatch(/deleting failed|unable to authenticate/);
  expect(text).toContain("ssh: handshake failed: ssh: unable to authenticate");
  expect(text).toContain("docs/operations.md#another-ssh-key-address-user-or-proxy");
  expect(removed()).toBe(1);
  expect(await up("last", "wiki", "blog")).toMatchObject({ status: 0 });
  expect(await up("last", "wiki")).toMatchObject({ status: 0 });
  expect(removed()).toBe(2);
});

test("`pulumi destroy` uses the connection of the last `up`", async () => {
  expect(await pulumi("destroy --yes --skip-preview --stack test")).toMatchObject({ status: 0 });
});
