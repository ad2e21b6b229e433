// Another SSH key, address, user or proxy: Pulumi removes a resource over the connection in its state. The host is none: it answers as the agent would.
import { execFile } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { usually } from "../e2e/support/lab.ts";
import { host } from "../plan/host.ts";
import { newKey, type Sshd } from "../unit/sshd.ts";
import { VAULT, vault } from "./vault.ts";

const ROOT = resolve(import.meta.dirname, "../..");
const PARTS = ["components", "protocol", "templates", "node_modules", "package.json", "Pulumi.yaml"];
const PROGRAM = `import { debian } from "./components/distribution/debian.ts";
import { Host } from "./components/host/host.ts";
import { Release } from "./components/host/release.ts";
const { CONNECTION, RELEASES } = process.env;
const connection = JSON.parse(CONNECTION);
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
  await pulumi(`stack init test --secrets-provider ${VAULT}`);
});
afterAll(async () => {
  await server.close();
  rmSync(folder, { recursive: true });
});

function pulumi(args: string, variables: NodeJS.ProcessEnv = {}): Promise<{ status: number; text: string }> {
  const env = {
    ...process.env,
    PULUMI_BACKEND_URL: `file://${folder}/backend`,
    ...vault,
    ...variables,
  };
  return new Promise((done) =>
    execFile("pulumi", [...args.split(" "), "--non-interactive"], { cwd: folder, env }, (error, stdout, stderr) =>
      done({ status: error ? Number(error.code) : 0, text: stdout + stderr }),
    ),
  );
}
const at = ({ port, hostKey }: Sshd) => ({ address: "127.0.0.1", port, hostKey, privateKey: keys.old.private });
const up = (change: object, ...releases: string[]) =>
  pulumi("up --yes --skip-preview --stack test", {
    CONNECTION: JSON.stringify({ ...at(server), ...change }),
    RELEASES: releases.join(" "),
  });
const using = (key: keyof typeof keys) => ({ privateKey: keys[key].private });
const removed = () => server.asked.filter(({ command }) => command.startsWith("gatehouse remove blog ")).length;
const lets = (...names: (keyof typeof keys)[]) => server.allow(...names.map((name) => keys[name].public));

test("with both keys on the host, a release is removed in the `up` that changes the key", async () => {
  lets("old");
  expect(await up(using("old"), "wiki", "blog")).toMatchObject({ status: 0 });
  lets("old", "next");
  expect(await up(using("next"), "wiki")).toMatchObject({ status: 0 });
  expect(removed()).toBe(1);
  lets("next");
  expect(await up(using("next"), "wiki", "blog")).toMatchObject({ status: 0 });
});

test("with the new key alone it is not: the release has to come back first, and is then removed", async () => {
  lets("last");
  const { status, text } = await up(using("last"), "wiki");
  expect(status).not.toBe(0);
  expect(text).toMatch(/deleting failed|unable to authenticate/);
  expect(text).toContain("ssh: handshake failed: ssh: unable to authenticate");
  expect(text).toContain("docs/operations.md#another-ssh-key-address-user-or-proxy");
  expect(removed()).toBe(1);
  expect(await up(using("last"), "wiki", "blog")).toMatchObject({ status: 0 });
  expect(await up(using("last"), "wiki")).toMatchObject({ status: 0 });
  expect(removed()).toBe(2);
});

describe("while the previous connection works too, a release is removed in the `up` that changes", () => {
  let hop: Sshd;
  beforeAll(async () => {
    hop = await host();
    hop.allow(keys.old.public);
  });
  afterAll(() => hop.close());

  const CHANGES: [string, () => object][] = [
    ["the address", () => ({ address: "localhost" })],
    ["the proxy", () => ({ proxy: at(hop) })],
    ["the user", () => ({ user: "deploy" })],
  ];
  test.each(usually(2, CHANGES))("%s", async (_, change) => {
    lets("old", "last");
    expect(await up({}, "wiki", "blog")).toMatchObject({ status: 0 });
    const before = removed();
    expect(await up(change(), "wiki")).toMatchObject({ status: 0 });
    expect(removed() - before).toBe(1);
  });
});

test("without the previous host at its address, the error names the section with the way out, which works", async () => {
  const previous = server;
  lets("old");
  expect(await up({}, "wiki", "blog")).toMatchObject({ status: 0 });
  server = await host();
  await previous.close();
  lets("old");
  const { status, text } = await up({}, "wiki");
  expect(status).not.toBe(0);
  expect(text).toMatch(/dial tcp .*connection refused/);
  expect(text).toContain("docs/operations.md#another-ssh-key-address-user-or-proxy");
  expect(removed()).toBe(0);
  expect(await up({}, "wiki", "blog")).toMatchObject({ status: 0 });
  expect(await up({}, "wiki")).toMatchObject({ status: 0 });
  expect(removed()).toBe(1);
});

test("`pulumi destroy` uses the connection of the last `up`", async () => {
  expect(await pulumi("destroy --yes --skip-preview --stack test")).toMatchObject({ status: 0 });
});
