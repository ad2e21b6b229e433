// docs/platform.md from an empty folder on a new machine: its commands as written, with the packed package, the oldest
// Node that it supports, npm's registry, and the engine under test/engine/with. A fake host is inspected.
import { execFile } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { homedir, tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import { blocksOf, ROOT } from "../documents/blocks.ts";
import { host } from "../plan/host.ts";
import type { Sshd } from "../unit/sshd.ts";
import { pack } from "./pack.ts";

const BLOCKS = blocksOf("docs/platform.md");
/** The commands in their order: install, configure, preview. */
const [install = "", configure = "", preview = ""] = BLOCKS.filter(({ words }) => words.includes("package")).map(
  ({ text }) => text,
);
const file = (path: string) => BLOCKS.find(({ words: [first] }) => first === path)?.text ?? "";

const { engines } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8"));
const OLDEST = `${/[\d.]+/.exec(engines.node)?.[0]}.0`;

let folder: string;
let project: string;
let path: string;
let server: Sshd;

/** The folder of the oldest supported Node, kept between runs as the other tools of the tests are. */
async function oldestNode(): Promise<string> {
  const kept = join(process.env.GATEHOUSE_CACHE ?? join(homedir(), ".cache/gatehouse"), `node-${OLDEST}`);
  const name = `node-linux-${process.arch}`;
  const bin = join(kept, "node_modules", name, "bin");
  const npm = ["install", "--silent", "--ignore-scripts", "--no-save", "--prefix", kept, `${name}@${OLDEST}`];
  if (!existsSync(join(bin, "node"))) await promisify(execFile)("npm", npm);
  return bin;
}

/** Runs commands of the document in the project; they must succeed. */
async function sh(commands: string): Promise<string> {
  // An operator of a new machine has none of the settings of npm and Node that the tests run with.
  const ours = Object.entries(process.env).filter(([name]) => !/^(npm_|NODE_(?!EXTRA_CA_CERTS))/i.test(name));
  const env = {
    ...Object.fromEntries(ours),
    HOME: join(folder, "home"),
    PATH: path,
    PULUMI_BACKEND_URL: `file://${folder}/backend`,
    PULUMI_CONFIG_PASSPHRASE: "install test",
  };
  const options = { cwd: project, env, maxBuffer: 64 << 20 };
  return new Promise((done, failed) =>
    execFile("bash", ["-euc", commands], options, (error, stdout, stderr) =>
      error ? failed(new Error(stdout + stderr)) : done(stdout),
    ),
  );
}

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "install-test-"));
  project = join(folder, "prod");
  for (const name of ["backend", "home/.ssh", "prod"]) mkdirSync(join(folder, name), { recursive: true });
  server = await host();
  writeFileSync(join(folder, "home/.ssh/gatehouse"), server.key);
  const [node, packed] = await Promise.all([oldestNode(), pack(folder)]);
  expect(dirname(packed)).toBe(dirname(project));
  path = `${node}:${process.env.PATH}`;
});
afterAll(async () => {
  await server.close();
  rmSync(folder, { recursive: true });
});

test("npm installs it on the oldest Node, with one copy of the SDK and without an install script of its own", async () => {
  expect(await sh("node --version")).toBe(`v${OLDEST}\n`);
  await sh(install);
  const { packages } = JSON.parse(readFileSync(join(project, "package-lock.json"), "utf8")) as {
    packages: Record<string, { hasInstallScript?: boolean }>;
  };
  const installed = Object.keys(packages);
  expect(installed).toContain("node_modules/gatehouse");
  expect(installed.filter((one) => one.endsWith("/@pulumi/pulumi"))).toEqual(["node_modules/@pulumi/pulumi"]);
  expect(packages["node_modules/gatehouse"]?.hasInstallScript).toBeUndefined();
});

test("the program previews a platform, and inspects its host without a change", async () => {
  for (const name of ["Pulumi.yaml", "index.ts"]) writeFileSync(join(project, name), file(name));
  await sh(configure);
  // The example addresses of the document are of no host.
  await sh(`pulumi config set --path host.address 127.0.0.1
    pulumi config set --path host.port ${server.port}
    pulumi config set --path host.hostKey "${server.hostKey}"`);
  const printed = await sh(preview);
  for (const part of ["Gatehouse", "Host", "Postgres", "Valkey", "Authentik", "Caddy"])
    expect(printed).toMatch(new RegExp(`\\+ .*gatehouse:index:${part} +prod`));
  expect(printed).toMatch(/^Resources:\n +\+ \d\d to create$/m);
  expect(server.asked.map(({ command }) => command)).toEqual(expect.arrayContaining(["sh -s"]));
  expect(server.asked.filter(({ command }) => command !== "sh -s")).toEqual([]);
});
