// gatehouse as used by another repository: packed, unpacked into a fresh project, and used by the program of
// docs/platform.md with the engine under test/engine/with. A fake host answers as the agent would.
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Sshd, sshd } from "../unit/sshd.ts";
import { install, pack } from "./pack.ts";
import { platformAt } from "./platform.ts";

const ROOT = resolve(import.meta.dirname, "../..");
const MODULES = join(ROOT, "node_modules");
const PLATFORM = "organization/gatehouse/prod";
const PROJECT = (name: string) => `name: ${name}
main: index.ts
runtime:
  name: nodejs
  options:
    typescript: false
`;

let folder: string;
let producer: string;
let consumer: string;
let server: Sshd;
let tarball: string;
let packed: string[];

function run(program: string, args: readonly string[], cwd: string, input = "", more: Record<string, string> = {}) {
  const env = { ...process.env, PULUMI_BACKEND_URL: `file://${folder}/backend`, ...more };
  return new Promise<{ status: number; text: string }>((done) => {
    const child = execFile(program, [...args], { cwd, env, maxBuffer: 64 << 20 }, (error, stdout, stderr) =>
      done({ status: error ? Number(error.code) : 0, text: stdout + stderr }),
    );
    // A program may exit before it has read its input; the exit status reports whether that is an error.
    child.stdin?.on("error", () => {});
    child.stdin?.end(input);
  });
}
async function must(...args: Parameters<typeof run>): Promise<string> {
  const { status, text } = await run(...args);
  expect(status, `${args[0]} ${args[1].join(" ")}\n${text}`).toBe(0);
  return text;
}

// Each stack has its own passphrase, as with two teams.
const pulumi = (cwd: string, args: readonly string[], input?: string) =>
  [
    "pulumi",
    [...args, "--non-interactive", "--color", "never"],
    cwd,
    input,
    { PULUMI_CONFIG_PASSPHRASE: cwd },
  ] as const;
const preview = () => run(...pulumi(consumer, ["preview", "--stack", "dev"]));

/** Deploys the other stack again, with these outputs. */
async function produce(outputs: object): Promise<void> {
  writeFileSync(join(producer, "outputs.json"), JSON.stringify(outputs));
  await must(...pulumi(producer, ["up", "--yes", "--skip-preview", "--stack", "prod"]));
}

const facts = () => platformAt(server.port, server.hostKey);

/**
 * The host's answer. Without an argument, `sh -s` inspects the host or checks the ownership of names; with one, it
 * installs the agent.
 */
function answer({ command, stdin }: { command: string; stdin: string }): object {
  if (command === "sh -s" && stdin.includes("census.main()")) return [];
  if (command === "sh -s") return { protocol: 1, machine: "0123456789ab", items: items() };
  if (command.startsWith("gatehouse account")) return { uid: 700, gid: 701 };
  return { generation: 1 };
}

/** Every requested item exists, as requested. */
function items(): object {
  const asked = server.asked.flatMap(({ command, stdin }) => {
    const [, kind, name, due] = /^gatehouse (\w+) (\S+) --due (\S+)$/.exec(command) ?? [];
    const document = createHash("sha256").update(stdin).digest("hex");
    return due ? [[`${kind}-${name}`, { due, drifted: [], document }]] : [];
  });
  return Object.fromEntries(asked);
}

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "package-test-"));
  producer = join(folder, "producer");
  consumer = join(folder, "consumer");
  for (const name of ["backend", "producer", "consumer"]) mkdirSync(join(folder, name));
  server = await sshd({
    get stdout() {
      return `${JSON.stringify(answer(server.asked.at(-1) ?? { command: "", stdin: "" }))}\n`;
    },
  });

  symlinkSync(MODULES, join(producer, "node_modules"));
  writeFileSync(join(producer, "Pulumi.yaml"), PROJECT("gatehouse"));
  writeFileSync(join(producer, "package.json"), '{ "type": "module" }');
  writeFileSync(
    join(producer, "index.ts"),
    `import { readFileSync } from "node:fs";
import * as pulumi from "@pulumi/pulumi";
const outputs = JSON.parse(readFileSync("outputs.json", "utf8"));
export const { platform } = outputs;
export const logins = pulumi.secret({ postgres: {} });
`,
  );
  await must(...pulumi(producer, ["stack", "init", PLATFORM]));

  tarball = await pack(folder);
  packed = (await must("tar", ["--list", "--file", tarball], folder)).trim().split("\n");
  // The last two belong to the consumer, for type checks. No other development dependency of gatehouse is installed.
  await install(tarball, consumer, ["typescript", "@types/node"]);
  const documented = readFileSync(join(ROOT, "docs/platform.md"), "utf8");
  const [, example = ""] = /^```ts\n(.*?)^```$/ms.exec(documented) ?? [];
  expect(example.split("\n").length).toBeLessThan(40);
  writeFileSync(join(consumer, "index.ts"), example);
  writeFileSync(join(consumer, "Pulumi.yaml"), PROJECT("wiki"));
  writeFileSync(join(consumer, "package.json"), '{ "type": "module" }');
  await must(...pulumi(consumer, ["stack", "init", "dev"]));
  await must(...pulumi(consumer, ["config", "set", "--secret", "sshKey", "--stack", "dev"], server.key));
}, 60_000);
afterAll(async () => {
  await server.close();
  rmSync(folder, { recursive: true });
});

describe("the tarball", () => {
  test("has JavaScript and its types, and no TypeScript that Node would have to strip", () => {
    for (const file of ["components/library", "components/host/release"])
      expect(packed).toEqual(expect.arrayContaining([`package/dist/${file}.js`, `package/dist/${file}.d.ts`]));
    expect(packed.filter((path) => /(?<!\.d)\.ts$/.test(path))).toEqual([]);
  });

  test("has the agent, its installer, and every template of the repository", () => {
    const sources = ["agent/bootstrap", "agent/src", "templates"]
      .flatMap((name) => readdirSync(join(ROOT, name), { recursive: true, withFileTypes: true }))
      .filter((entry) => entry.isFile() && !entry.name.endsWith(".pyc"))
      .map(({ parentPath, name }) => join(parentPath, name).replace(ROOT, "package"));
    expect(packed.filter((path) => /^package\/(agent|templates)\//.test(path)).sort()).toEqual(sources.sort());
  });

  test("has the documents that its messages name, and nothing else of their folder", () => {
    const documents = packed.filter((path) => path.startsWith("package/docs/")).sort();
    expect(documents).toContain("package/docs/manifest.md");
    expect(documents).toEqual(
      readdirSync(join(ROOT, "docs"))
        .filter((name) => name.endsWith(".md"))
        .map((name) => `package/docs/${name}`)
        .sort(),
    );
  });

  test("has nothing else: no tests, no state, no configuration, no caches", () => {
    const others = packed.filter((path) => !/^package\/(agent|dist|docs|templates)\//.test(path)).sort();
    expect(others).toEqual([
      "package/LICENSE",
      "package/PulumiPlugin.yaml",
      "package/README.md",
      "package/components/sdk/node-version.cjs",
      "package/package.json",
      "package/plugin.cjs",
    ]);
    expect(packed.join("\n")).not.toContain("__pycache__");
  });

  test("has no fault that publint finds, and types that attw resolves, for an ES module and a bundler", async () => {
    const tool = join(ROOT, "test/tools/npm");
    await must(tool, ["publint", tarball, "--strict"], folder);
    await must(tool, ["attw", tarball, "--profile", "esm-only"], folder);
  });

  test("is found wanting without its types", async () => {
    const other = join(folder, "untyped");
    mkdirSync(other);
    await must("tar", ["--extract", "--file", tarball, "--directory", other], folder);
    rmSync(join(other, "package/dist/components/library.d.ts"));
    await must("tar", ["--create", "--gzip", "--file", "untyped.tgz", "--directory", other, "package"], folder);
    const { status } = await run(join(ROOT, "test/tools/npm"), ["publint", "untyped.tgz", "--strict"], folder);
    expect(status).not.toBe(0);
  });

  test("shows the line of the source in a stack trace", async () => {
    const code = `import { Postgres } from "gatehouse"; new Postgres("db", { gid: 0 });`;
    const args = ["--enable-source-maps", "--input-type=module", "--eval", code];
    const { text } = await run("node", args, consumer);
    expect(text).toContain(
      "Postgres db is invalid; nothing was changed:\n  gid: expected a GID from 1 to 65533, got 0",
    );
    expect(text).toMatch(/at .*components\/postgres\/postgres\.ts:\d+:\d+/);
  });

  test("changes nothing when it is imported, as package.json promises to bundlers", async () => {
    const code = `import { log } from "@pulumi/pulumi";
      const state = () => [Error.prepareStackTrace, Error.stackTraceLimit, log.debug, log.warn];
      const before = state();
      const { quiet } = await import("gatehouse");
      const same = () => state().every((value, index) => value === before[index]);
      console.log(same());
      quiet();
      console.log(same());`;
    expect(await must("node", ["--input-type=module", "--eval", code], consumer)).toBe("true\nfalse\n");
  });

  test("finds its templates", async () => {
    const code = `import { render } from "./node_modules/gatehouse/dist/components/render/render.js";
      console.log(render("etc/caddy/Caddyfile", { email: "", directory: "" }));`;
    expect(await must("node", ["--input-type=module", "--eval", code], consumer)).toContain("import sites/*.caddy");
  });

  test("exports only its public modules", async () => {
    const names = await must(
      "node",
      ["--eval", 'import("gatehouse").then((all) => console.log(Object.keys(all)))'],
      consumer,
    );
    for (const name of ["Account", "Group", "Host", "Packages", "Platform", "Release"])
      expect(names).toContain(`'${name}'`);
    const { text } = await run("node", ["--eval", 'import("gatehouse/dist/components/host/item.js")'], consumer);
    expect(text).toContain("ERR_PACKAGE_PATH_NOT_EXPORTED");
  });
});

test("the program of docs/platform.md, examples/automation and both servers of examples/server have the right types, and a wrong one is found", async () => {
  cpSync(join(ROOT, "examples/automation/platforms.ts"), join(consumer, "platforms.ts"));
  const server = readFileSync(join(ROOT, "examples/server/index.ts"), "utf8");
  for (const place of ["lab", "hetzner"]) {
    cpSync(join(ROOT, `examples/server/${place}.ts`), join(consumer, `${place}.ts`));
    const program = server.replace('"./lab.ts"', `"./${place}.ts"`);
    expect(program).toContain(`from "./${place}.ts"`);
    writeFileSync(join(consumer, `at-${place}.ts`), program);
  }
  for (const name of ["hcloud", "tls"])
    symlinkSync(join(MODULES, "@pulumi", name), join(consumer, "node_modules/@pulumi", name));
  writeFileSync(
    join(consumer, "wrong.ts"),
    `import { Host, type Platform, platforms } from "gatehouse";
declare const platform: Platform;
// @ts-expect-error there is no such group
platform.groups.mail;
// @ts-expect-error a port is a number
new Host("host", { connection: { ...platform.host, port: "22" }, platform: platforms.debian });
`,
  );
  writeFileSync(
    join(consumer, "tsconfig.json"),
    JSON.stringify({
      compilerOptions: {
        target: "esnext",
        module: "nodenext",
        strict: true,
        noEmit: true,
        allowImportingTsExtensions: true,
        types: ["node"],
      },
      files: ["index.ts", "platforms.ts", "at-lab.ts", "at-hetzner.ts", "wrong.ts"],
    }),
  );
  await must(join(MODULES, ".bin/tsc"), [], consumer);
});

describe("the program of docs/platform.md", () => {
  test("prints in a preview what it would do, and changes nothing", async () => {
    await produce({ platform: facts() });
    const { status, text } = await preview();
    expect(status, text).toBe(0);
    expect(text).toMatch(/\+ +.*command:remote:Command +wiki-release create/);
    expect(server.asked.map(({ command }) => command)).toEqual(["sh -s", "sh -s"]);
  });

  test("passes the other stack's GID to the host, and then has nothing to do", async () => {
    const up = ["up", "--yes", "--skip-preview", "--stack", "dev"];
    await must(...pulumi(consumer, up));
    const asked = (start: string) => server.asked.find(({ command }) => command.startsWith(start))?.stdin;
    expect(asked("sh -s -- 0123456789ab")).toContain("gatehouse");
    expect(asked("gatehouse account wiki")).toContain('groups = ["postgres-clients"]\n');
    const release = asked("gatehouse release wiki");
    for (const line of [
      "User=700",
      "Group=701",
      "PodmanArgs=--group-add=4321",
      "Volume=/run/postgresql:/run/postgresql",
      "Environment=OIDC_ISSUER=https://auth.example.org/application/o/wiki/",
    ])
      expect(release).toContain(`\n${line}\n`);
    await must(...pulumi(consumer, [...up, "--expect-no-changes"]));
  });

  test("is refused with one message about the misfit and the side to update", async () => {
    const unfit = `error: stack ${PLATFORM} has no platform that this program can use:\n`;
    await produce({ platform: { ...facts(), schemaVersion: 2 } });
    const newer = await preview();
    expect(newer.text).toContain(unfit);
    expect(newer.text).toMatch(/Update gatehouse in this program to one that reads version 2\.\n/);
    expect(newer.text.match(/has no platform that this program can use/g)).toHaveLength(2);
    expect(newer.text).not.toContain("    at ");
    expect(newer.status).not.toBe(0);

    await produce({});
    const missing = await preview();
    expect(missing.text).toContain(`${unfit}`);
    expect(missing.text).toContain("platform: is missing; its outputs are: logins\n");
    expect(missing.status).not.toBe(0);
  });

  test("is refused if there is no stack with that name", async () => {
    const program = join(consumer, "index.ts");
    writeFileSync(program, readFileSync(program, "utf8").replace(PLATFORM, "organization/gatehouse/prdo"));
    const { status, text } = await preview();
    expect(text).toContain(
      'error: the output platform of stack organization/gatehouse/prdo cannot be read: unknown stack "organization/gatehouse/prdo". ',
    );
    expect(text).toContain("`pulumi stack ls --all`");
    expect(status).not.toBe(0);
  });
});
