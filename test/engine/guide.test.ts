// Previews the examples of docs/service-integration-guide.md as an operator would: each with the engine under
// test/engine/with, in a fresh stack. The host does not exist, so the preview warns and continues.
import { execFile } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { parse } from "smol-toml";
import { afterAll, beforeAll, expect, test } from "vitest";
import { HOST_KEY } from "../components/program.ts";
import { EXAMPLES } from "../unit/guide.ts";
import { newKey } from "../unit/sshd.ts";
import { platformAt } from "./platform.ts";

const ROOT = resolve(import.meta.dirname, "../..");
/** A port without a listener. */
const PORT = 1;
const PLATFORM = "organization/gatehouse/prod";

/** An example is a program, or a function of the values that the platform's own program has, under the same names. */
const PROGRAM = `
import { Caddy } from "./components/caddy/caddy.ts";
import { Host } from "./components/host/host.ts";
import { debian } from "./components/distribution/debian.ts";
import { Postgres } from "./components/postgres/postgres.ts";
import { postgresSchema } from "./components/postgres/schema.ts";

for (const make of Object.values(await import("./docs/example.ts"))) {
  const host = new Host("host", { connection: ${JSON.stringify({ address: "127.0.0.1", port: PORT, hostKey: HOST_KEY })}, platform: debian });
  const postgres = new Postgres("postgres", { host, ...postgresSchema.parse({}) });
  const caddy = new Caddy("caddy", { host, tls: "internal", sites: {} });
  const handles = { host, postgres, caddy };
  const [, parameters] = /\\(([^)]*)\\)/.exec(make.toString());
  make(...parameters.split(",").map((name) => handles[name.trim()]));
}
`;

let folder: string;

function pulumi(project: string, args: string[], input = ""): Promise<string> {
  const env = {
    ...process.env,
    PULUMI_BACKEND_URL: `file://${folder}/backend`,
    PULUMI_CONFIG_PASSPHRASE: "guide test",
  };
  return new Promise((done, failed) => {
    const options = { cwd: join(folder, project), env, maxBuffer: 64 << 20 };
    const child = execFile("pulumi", [...args, "--non-interactive", "--color", "never"], options, (error, out, err) =>
      error ? failed(new Error(`pulumi ${args.join(" ")}:\n${out}${err}`)) : done(out),
    );
    child.stdin?.on("error", () => {});
    child.stdin?.end(input);
  });
}

function project(name: string, files: Record<string, string>): void {
  mkdirSync(join(folder, name, "docs"), { recursive: true });
  for (const part of ["components", "templates", "node_modules"])
    symlinkSync(join(ROOT, part), join(folder, name, part));
  const all = {
    "Pulumi.yaml": `name: ${name}\nmain: index.ts\nruntime:\n  name: nodejs\n  options:\n    typescript: false\n`,
    // The name under which programs import the package, which contains the same files as a packed one.
    "package.json": '{ "name": "gatehouse", "type": "module", "exports": "./components/library.ts" }',
    ...files,
  };
  for (const [path, content] of Object.entries(all)) writeFileSync(join(folder, name, path), content);
}

interface Step {
  op: string;
  urn: string;
  newState: { inputs?: { stdin?: string } };
}

/** The resources that a preview of the example would create, by type and name, each with its stdin. */
async function preview(app: string): Promise<Record<string, string | undefined>> {
  writeFileSync(join(folder, "guide/docs/example.ts"), EXAMPLES[app] ?? "");
  const { steps } = JSON.parse(await pulumi("guide", ["preview", "--json", "--stack", "dev"])) as { steps: Step[] };
  const created = steps.filter(({ op }) => op === "create");
  return Object.fromEntries(
    created.map(({ urn, newState }) => {
      const [types = "", name] = urn.split("::").slice(-2);
      return [`${types.split("$").at(-1)} ${name}`, newState.inputs?.stdin];
    }),
  );
}

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "guide-test-"));
  mkdirSync(join(folder, "backend"));
  const reported = JSON.stringify(platformAt(PORT, HOST_KEY));
  project("gatehouse", { "index.ts": `export const platform = ${reported};\n` });
  await pulumi("gatehouse", ["stack", "init", PLATFORM]);
  await pulumi("gatehouse", ["up", "--yes", "--skip-preview", "--stack", PLATFORM]);
  project("guide", { "index.ts": PROGRAM });
  await pulumi("guide", ["stack", "init", "dev"]);
  for (const [key, value] of Object.entries({ sshKey: newKey().private, adminPassword: "the admin's password" }))
    await pulumi("guide", ["config", "set", "--secret", key, "--stack", "dev"], value);
}, 60_000);
afterAll(() => rmSync(folder, { recursive: true }));

test.each([
  ["grafana", ["postgres", "secrets"], ["app-grafana-network.service", "app-grafana.service"]],
  [
    "board",
    ["postgres", "valkey"],
    ["app-board-network.service", "app-board-pod.service", "app-board-web.service", "app-board-worker.service"],
  ],
  ["invoices", ["postgres"], ["app-invoices-network.service", "app-invoices.service", "app-invoices-reminders.timer"]],
  [
    "handbook",
    [],
    ["app-handbook-network.service", "app-handbook-build.timer", "run-apps-handbook.mount", "files-handbook.service"],
  ],
])("a preview of %s declares, besides what every app declares, %j; its units are %j", async (app, parts, units) => {
  const planned = await preview(app);
  const commands = Object.keys(planned).flatMap((key) => /^command:remote:Command (.*)$/.exec(key)?.[1] ?? []);
  const own = commands.filter((name) => name.startsWith(`${app}-`));
  const valkey = parts.includes("valkey") ? [`${app}-valkey-account`] : [];
  const releases = ["", ...parts.map((part) => `-${part}`)].map((part) => `${app}-app${part}-release`);
  expect(own.sort()).toEqual([`${app}-account`, ...valkey, ...releases].sort());
  expect(Object.keys(planned)).toContain(`gatehouse:index:App ${app}`);
  const manifest = parse(planned[`command:remote:Command ${app}-app-release`] ?? "");
  expect(manifest).toMatchObject({ unit: units.map((name) => ({ name })) });
});

test("a preview of exporter declares its package, its account and its release", async () => {
  const planned = await preview("exporter");
  const own = Object.keys(planned).filter((key) => /^command:.* (exporter|prometheus)-/.test(key));
  expect(own.map((key) => key.split(" ")[1]).sort()).toEqual([
    "exporter-packages",
    "exporter-release",
    "prometheus-account",
  ]);
  const manifest = parse(planned["command:remote:Command exporter-release"] ?? "");
  expect(manifest).toMatchObject({ unit: [{ name: "prometheus-postgres-exporter.service", enabled: true }] });
});

test("an example that App refuses fails its preview with a message", async () => {
  const { invoices = "" } = EXAMPLES;
  const wrong = invoices.replace("Mon..Fri 07:30", "30 7 * * 1-5");
  writeFileSync(join(folder, "guide/docs/example.ts"), wrong);
  await expect(pulumi("guide", ["preview", "--stack", "dev"])).rejects.toThrow(
    /App invoices is invalid; nothing was changed:\s+containers\.reminders\.schedule: expected a systemd calendar/,
  );
});
