// The package as a plugin: programs in other languages declare a Gatehouse through the engine under test/engine/with, and
// gatehouse runs in a process of its own. A fake host answers as the agent would.
import { execFile } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { homedir, tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { host } from "../plan/host.ts";
import type { Sshd } from "../unit/sshd.ts";
import { install, pack } from "./pack.ts";

const ROOT = resolve(import.meta.dirname, "../..");
const EXHAUSTIVE = process.env.GATEHOUSE_EXHAUSTIVE === "1";

let folder: string;
let server: Sshd;
/** The names of the items that the host does not apply. */
const failing = new Set<string>();
let home: string | undefined;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "plugin-test-"));
  mkdirSync(join(folder, "backend"));
  server = await host(failing);
  await install(await pack(folder), folder);
  // The CLI installs the dependencies of a plugin at a path; those of this one are there.
  const manifest = join(folder, "node_modules/gatehouse/package.json");
  const { dependencies: _, devDependencies: __, ...others } = JSON.parse(readFileSync(manifest, "utf8"));
  writeFileSync(manifest, JSON.stringify(others));
}, 60_000);
afterAll(async () => {
  await server.close();
  rmSync(folder, { recursive: true });
});

interface Result {
  status: number;
  text: string;
}
function run(project: string, program: string, words: readonly string[], input: string): Promise<Result> {
  const env = {
    ...process.env,
    PULUMI_BACKEND_URL: `file://${folder}/backend`,
    PULUMI_CONFIG_PASSPHRASE: "plugin test",
    ...(home && { PULUMI_HOME: home }),
  };
  return new Promise((done) => {
    const options = { cwd: join(folder, project), env, maxBuffer: 64 << 20 };
    const child = execFile(program, words, options, (error, stdout, stderr) =>
      done({ status: error ? Number(error.code) : 0, text: stdout + stderr }),
    );
    child.stdin?.end(input);
  });
}
const pulumi = (project: string, words: string, input = "") =>
  run(project, "pulumi", [...words.split(" "), "--non-interactive", "--color", "never"], input);
async function must(...args: Parameters<typeof pulumi>): Promise<string> {
  const { status, text } = await pulumi(...args);
  expect(`${status} ${status === 0 ? "" : text}`).toBe("0 ");
  return text;
}
const up = (project: string) => must(project, "up --yes --skip-preview");
const nothingToDo = (project: string) => must(project, "up --yes --skip-preview --expect-no-changes");

/** What the host was asked to change while a body ran. */
async function changes(body: () => Promise<unknown>): Promise<string[]> {
  const before = server.asked.length;
  await body();
  const asked = server.asked.slice(before).map(({ command }) => command);
  return asked.filter((command) => /^gatehouse (release|remove|leave|account)/.test(command));
}

/** The arguments, as JSON and as YAML. */
const args = (domain = "auth.example.org") => ({
  host: { address: "127.0.0.1", port: server.port, hostKey: server.hostKey, privateKey: server.key },
  authentik: { domain, version: "2026.8.3", secretEnvironment: { AUTHENTIK_EMAIL__PASSWORD: "mail-password" } },
  postgres: { roles: { reporting: { auth: "scram" } } },
});

async function add(project: string, files: Record<string, string>): Promise<void> {
  mkdirSync(join(folder, project));
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, project, name), text);
  await must(project, "stack init dev");
}

test("its schema is the one in docs/, and Pulumi accepts it", async () => {
  const text = await must(".", "package get-schema ./node_modules/gatehouse");
  const { resources, types, version } = JSON.parse(text.slice(text.indexOf("{"), text.lastIndexOf("}") + 1));
  const documented = JSON.parse(readFileSync(join(ROOT, "docs/package.schema.json"), "utf8"));
  expect({ resources, types }).toMatchObject({ resources: documented.resources, types: documented.types });
  expect(version).toBe(JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")).version);
});

// As an SDK that is generated from the schema declares it.
const REMOTE = `import { readFileSync } from "node:fs";
import { local } from "@pulumi/command";
import * as pulumi from "@pulumi/pulumi";
const { host, authentik, ...others } = JSON.parse(readFileSync("args.json", "utf8"));
const { domain } = authentik;
const outputs = { platform: undefined, logins: undefined, administrator: undefined, recovery: undefined };
const later = new local.Command("later", { create: "echo -n auth.example.org" }).stdout;
const prod = new pulumi.ComponentResource("gatehouse:index:Gatehouse", "prod", {
  ...outputs, ...others, host: { ...host, privateKey: pulumi.secret(host.privateKey) }, authentik: { ...authentik, domain: domain === "later" ? later : domain },
}, {}, true);
export const { platform, logins, administrator } = prod;
`;

describe("a program with the component of the plugin", () => {
  beforeAll(() =>
    add("remote", {
      "Pulumi.yaml": `name: remote
main: index.ts
runtime: { name: nodejs, options: { typescript: false } }
plugins: { providers: [{ name: gatehouse, path: ../node_modules/gatehouse }] }
`,
      "package.json": '{ "type": "module" }',
      "index.ts": REMOTE,
    }),
  );
  const given = (value: object) => writeFileSync(join(folder, "remote/args.json"), JSON.stringify(value));

  test("is refused with all faults of the arguments, before anything is declared", async () => {
    given({ ...args("no domain"), caddy: { tls: "none" } });
    const { status, text } = await pulumi("remote", "preview");
    expect(status).not.toBe(0);
    expect(text).toContain("Gatehouse prod is invalid; nothing was changed:\n");
    expect(text).toContain("authentik.domain: expected");
    expect(text).toContain("caddy.tls: expected one of acme, internal");
    expect(text).not.toContain("    at ");
  });

  test("previews the platform although a setting is known only during the update", async () => {
    given(args("later"));
    const asked = await changes(async () => {
      const text = await must("remote", "preview");
      expect(text).toMatch(/\+ +gatehouse:index:Caddy prod-caddy create/);
    });
    expect(asked).toEqual([]);
    expect((await changes(() => up("remote"))).length).toBeGreaterThan(8);
    given(args());
  });

  test("deploys the platform, and then has nothing to do", async () => {
    expect(await changes(() => nothingToDo("remote"))).toEqual([]);
    const outputs = JSON.parse(await must("remote", "stack output --json"));
    expect(outputs.platform.postgres.socketDirectory).toBe("/run/postgresql");
    expect(outputs.platform.authentik).toMatchObject({ url: "https://auth.example.org", uid: 985 });
    expect([outputs.logins, outputs.administrator]).toEqual(["[secret]", "[secret]"]);
    const shown = JSON.parse(await must("remote", "stack output --json --show-secrets"));
    expect(Object.keys(shown.logins.postgres)).toEqual(["reporting"]);
    expect(shown.administrator).toMatchObject({ name: "akadmin" });
  });

  test("reports an item that was not applied, and applies it with the next update", async () => {
    given({ ...args(), caddy: { email: "operator@example.org" } });
    failing.add("caddy");
    const { status, text } = await pulumi("remote", "up --yes --skip-preview");
    failing.clear();
    expect(status).not.toBe(0);
    expect(text).not.toContain("    at ");
    expect(text).toMatch(/command:remote:Command \(prod-caddy-release\):\n +error: Process exited with status 3/);
    expect(await changes(() => up("remote"))).toEqual([expect.stringMatching(/^gatehouse release caddy /)]);
  });

  test("refuses options of the command line that do not do what they say", async () => {
    const { status, text } = await pulumi("remote", "preview --save-plan plan.json");
    expect(status).not.toBe(0);
    expect(text).toContain("update plans (--save-plan, --plan) do not work with gatehouse");
  });

  test("keeps secrets out of the state", async () => {
    const state = await must("remote", "stack export");
    for (const secret of ["mail-password", "PRIVATE KEY"]) expect(state).not.toContain(secret);
  });

  test("removes the platform with a destroy", async () => {
    const asked = await changes(() => must("remote", "destroy --yes --skip-preview"));
    expect(asked.filter((command) => command.startsWith("gatehouse remove")).length).toBeGreaterThan(8);
  });
});

const CACHE = process.env.GATEHOUSE_CACHE ?? join(homedir(), ".cache/gatehouse");

// The language host of YAML programs comes with Pulumi; beside the stand-ins it is built from its module once, in two minutes.
const YAML = "v1.25.0";
const REAL = process.env.PULUMI_IGNORE_AMBIENT_PLUGINS === undefined;

/** A home of the CLI with the language host and the plugins of this one. */
async function homeWithYaml(): Promise<string> {
  const built = join(CACHE, `pulumi-language-yaml-${YAML}`);
  if (!existsSync(built)) {
    const flags = ["-trimpath", "-tags", "osusergo,grpcnotrace", "-ldflags", "-s -w"];
    const module = `github.com/pulumi/pulumi-yaml/cmd/pulumi-language-yaml@${YAML}`;
    const env = { ...process.env, GOBIN: built, CGO_ENABLED: "0" };
    await promisify(execFile)("go", ["install", ...flags, module], { env, maxBuffer: 64 << 20 });
  }
  const own = join(folder, "home");
  const plugins = join(process.env.PULUMI_HOME ?? "", "plugins");
  const link = (from: string, name: string) => {
    mkdirSync(join(own, "plugins", name), { recursive: true });
    for (const file of readdirSync(from)) symlinkSync(join(from, file), join(own, "plugins", name, file));
  };
  link(built, `language-yaml-${YAML}`);
  for (const { name } of readdirSync(plugins, { withFileTypes: true }).filter((entry) => entry.isDirectory()))
    link(join(plugins, name), name);
  return own;
}

describe.runIf(EXHAUSTIVE)("the YAML program of docs/platform.md", () => {
  beforeAll(async () => {
    if (!REAL) home = await homeWithYaml();
    const documented = readFileSync(join(ROOT, "docs/platform.md"), "utf8");
    const [, program = ""] = /^```yaml yaml-program\n(.*?)^```$/ms.exec(documented) ?? [];
    const own = program.replace("./node_modules/gatehouse", "../node_modules/gatehouse");
    const here = own.replace(/address: .*/, "address: 127.0.0.1").replace(/hostKey: .*/, `hostKey: ${server.hostKey}`);
    await add("yaml", {
      "Pulumi.yaml": here.replace("        address", `        port: ${server.port}\n        address`),
    });
    await must("yaml", "config set --secret sshKey", server.key);
  }, 600_000);

  test("previews the platform, deploys it, and then has nothing to do", async () => {
    const preview = await must("yaml", "preview");
    expect(preview).toMatch(/\+ .*gatehouse:index:Caddy +prod-caddy create/);
    expect((await changes(() => up("yaml"))).length).toBeGreaterThan(8);
    expect(await changes(() => nothingToDo("yaml"))).toEqual([]);
    expect(await must("yaml", "stack output issuer")).toBe("https://auth.example.org/application/o/\n");
    await must("yaml", "destroy --yes --skip-preview");
  });

  test("is refused where a setting has another name, before gatehouse starts", async () => {
    const file = join(folder, "yaml/Pulumi.yaml");
    writeFileSync(file, readFileSync(file, "utf8").replace("domain:", "domian:"));
    const { status, text } = await pulumi("yaml", "preview");
    expect(status).not.toBe(0);
    expect(text).toContain("domian");
  });
});

// The language host of Python programs is in no module of Go; an inline program needs none.
const PYTHON = "3.272.0";

describe.runIf(EXHAUSTIVE)("a Python program", () => {
  const python = join(CACHE, `pulumi-python-${PYTHON}`);

  beforeAll(async () => {
    if (!existsSync(join(python, "bin/pulumi-language-python-exec"))) {
      await promisify(execFile)("python3", ["-m", "venv", python]);
      await promisify(execFile)(join(python, "bin/pip"), ["install", "--quiet", `pulumi==${PYTHON}`]);
    }
    mkdirSync(join(folder, "python"));
    const plugins = `plugins: { providers: [{ name: gatehouse, path: ${folder}/node_modules/gatehouse }] }`;
    writeFileSync(join(folder, "python/Pulumi.yaml"), `name: python\nruntime: python\n${plugins}\n`);
  }, 600_000);

  test("deploys the platform, reads an output, and destroys it", async () => {
    const asked = await changes(async () => {
      const program = join(import.meta.dirname, "program.py");
      const { status, text } = await run("python", join(python, "bin/python"), [program], JSON.stringify(args()));
      expect(`${status} ${text}`).toBe("0 https://auth.example.org/application/o/\n");
    });
    expect(asked.filter((command) => command.startsWith("gatehouse release")).length).toBeGreaterThan(8);
    expect(asked.filter((command) => command.startsWith("gatehouse remove")).length).toBeGreaterThan(8);
  });
});
