// The table of docs/resource-options.md, row by row, with the engine under test/engine/with and a fake host.
import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { host } from "../plan/host.ts";
import type { Sshd } from "../unit/sshd.ts";
import { Projects, type Result } from "./project.ts";
import { VAULT } from "./vault.ts";

const ROOT = resolve(import.meta.dirname, "../..");
/** Declares what GIVEN in the environment names: a whole platform with an app, or a release for each of some names. */
const PROGRAM = `
import { RandomPassword } from "@pulumi/random";
import { App, Gatehouse, Host, platforms, quiet, Release } from "gatehouse";

quiet();
const { connection, server, platform, releases = [], content = "", options = {} } = JSON.parse(process.env.GIVEN);
const it = server && new RandomPassword("server", { length: 8 });
const retained = ({ type, props, opts }) =>
  type === "command:remote:Command" ? { props, opts: { ...opts, retainOnDelete: true } } : undefined;
const VALUES = { server: it, retained: [retained] };
const of = (name) =>
  Object.fromEntries(Object.entries(options[name] ?? {}).map(([key, value]) => [key, VALUES[value] ?? value]));
if (platform) {
  const authentik = { domain: "auth.example.org", version: "2026.8.3" };
  const { host, postgres } = new Gatehouse("prod", { host: connection, authentik }, of("prod"));
  const containers = { web: { image: "registry.example.org/wiki:1.4.2", port: 8080 } };
  for (const name of ["wiki", "board"]) new App(name, { host, postgres, containers }, of(name));
} else {
  const host = new Host("host", { connection, platform: platforms.debian });
  for (const name of releases) {
    const file = { path: "/etc/" + name, mode: "0644", owner: "root:root", content: content + name + "\\n" };
    new Release(name, { host, manifest: { files: [file] } }, of(name));
  }
}
`;
interface Given {
  server?: boolean;
  platform?: boolean;
  releases?: string[];
  content?: string;
  options?: Record<string, object>;
}
interface Run extends Result {
  /** The commands that reached the host, without the inspection. */
  asked: string[];
}

let server: Sshd;
let projects: Projects;

async function pulumi(args: string[], given: Given = {}): Promise<Run> {
  const connection = { address: "127.0.0.1", port: server.port, hostKey: server.hostKey, privateKey: server.key };
  const before = server.asked.length;
  const variables = { GIVEN: JSON.stringify({ connection, ...given }) };
  const all = [...args, "--non-interactive", "--color", "never", "--stack", "dev"];
  const result = await projects.run("shop", "pulumi", all, { variables });
  const asked = server.asked.slice(before).map(({ command }) => command.replace(/ --(due|owner) .*/, ""));
  return { ...result, asked: asked.filter((command) => !command.startsWith("sh ")).sort() };
}

const WORK = { protect: true, retainOnDelete: true, deletedWith: "server", dependsOn: "server" };
const REFUSED = {
  ignoreChanges: ["manifest"],
  customTimeouts: { create: "1m" },
  replaceOnChanges: ["*"],
  import: "x",
  hooks: {},
  version: "1",
};
const RELEASES = ["plain", "guarded", "kept", "gone", "transformed"];
const GIVEN: Given = {
  server: true,
  releases: RELEASES,
  options: {
    guarded: { protect: true },
    kept: { retainOnDelete: true },
    gone: { deletedWith: "server" },
    transformed: { transforms: "retained" },
  },
};
const CHANGED = { ...GIVEN, content: "changed " };
const UP = ["up", "--yes", "--skip-preview"];
const URN = "urn:pulumi:dev::shop::gatehouse:index:Release::plain";
const PATTERN = "urn:pulumi:dev::shop::gatehouse:index:Release**::plain*";
const COMMAND = "urn:pulumi:dev::shop::gatehouse:index:Release$command:remote:Command::plain-release";

const runs: Record<string, Run> = {};
beforeAll(async () => {
  server = await host();
  projects = new Projects("options-test");
  projects.add("shop", { "index.ts": PROGRAM });
  await projects.run("shop", "pulumi", ["stack", "init", "dev", "--secrets-provider", VAULT]);
  const all: [string, string[], Given?][] = [
    ["platform", ["preview", "--json"], { server: true, platform: true, options: { prod: WORK, wiki: WORK } }],
    ["first", UP, GIVEN],
    ["refused", ["preview"], { ...GIVEN, options: { plain: REFUSED } }],
    ["imported", ["import", "command:remote:Command", "x", "x", "--yes"]],
    ["componentAlone", [...UP, "--target", URN], CHANGED],
    ["componentExcluded", [...UP, "--exclude", URN], CHANGED],
    ["componentReplaced", [...UP, "--replace", URN], CHANGED],
    ["target", [...UP, "--target", PATTERN], CHANGED],
    ["exclude", ["preview", "--json", "--exclude", PATTERN], { ...GIVEN, content: "again " }],
    ["dependents", ["preview", "--json", "--target", URN, "--target-dependents"], { ...GIVEN, content: "again " }],
    ["replace", [...UP, "--target-replace", COMMAND], CHANGED],
    ["removed", UP, { releases: ["guarded"], options: GIVEN.options }],
    ["destroyed", ["destroy", "--yes", "--skip-preview"]],
  ];
  for (const [name, args, given] of all) runs[name] = await pulumi(args, given);
});
afterAll(async () => {
  await server.close();
  projects.remove();
});

const of = (name: string): Run => runs[name] as Run;
const succeeded = (name: string) =>
  expect(`${of(name).status} ${of(name).status === 0 ? "" : of(name).text}`).toBe("0 ");

interface Step {
  op: string;
  urn: string;
  newState?: {
    type: string;
    protect?: boolean;
    retainOnDelete?: boolean;
    deletedWith?: string;
    dependencies?: string[];
  };
}
const steps = (name: string) => (JSON.parse(of(name).text) as { steps: Step[] }).steps;
const nameOf = (urn = "") => urn.split("::").at(-1) as string;

/** Of each command of the platform and its apps, whether the option is in the goal that the engine has for it. */
function onPlatform(has: (goal: NonNullable<Step["newState"]>) => boolean): void {
  const commands = steps("platform").filter(({ newState }) => newState?.type === "command:remote:Command");
  for (const part of ["host-agent", "postgres-release", "authentik-release", "caddy-site-authentik-release"])
    expect(commands.map(({ urn }) => nameOf(urn))).toContain(`prod-${part}`);
  // The app without options is the only one that does not have it.
  for (const { urn, newState } of commands)
    expect([nameOf(urn), newState && has(newState)]).toEqual([nameOf(urn), !nameOf(urn).startsWith("board")]);
}

function refused(name: string, ...texts: string[]): void {
  expect([of(name).status === 0, of(name).asked]).toEqual([false, []]);
  for (const text of texts) expect(of(name).text).toContain(text);
}

/** By the first column of the table. */
const ROWS: Record<string, () => void> = {
  "`dependsOn`": () => onPlatform(({ dependencies = [] }) => dependencies.some((urn) => nameOf(urn) === "server")),
  "`protect`": () => {
    onPlatform(({ protect = false }) => protect);
    expect(of("destroyed").status).not.toBe(0);
    expect(of("destroyed").text).toMatch(/guarded-release" cannot be deleted\s+because it is protected/);
    expect(of("destroyed").asked).not.toContain("gatehouse remove guarded");
  },
  "`retainOnDelete`": () => {
    onPlatform(({ retainOnDelete = false }) => retainOnDelete);
    expect(of("removed").text).toMatch(/kept-release deleted .*\[retain\]/);
    expect(of("removed").asked).not.toContain("gatehouse remove kept");
  },
  "`deletedWith`": () => {
    onPlatform(({ deletedWith }) => nameOf(deletedWith) === "server");
    expect(of("removed").text).toContain("gone-release deleted");
    expect(of("removed").asked).not.toContain("gatehouse remove gone");
  },
  "`transforms`": () => {
    expect(of("removed").text).toMatch(/transformed-release deleted .*\[retain\]/);
    expect(of("removed").asked, "the release without an option is removed").toEqual(["gatehouse remove plain"]);
  },
  "`ignoreChanges`": () =>
    refused("refused", "Release plain is invalid", "ignoreChanges: has no effect on a component"),
  "`customTimeouts`": () => refused("refused", "customTimeouts: has no effect", "set `deadline`"),
  "`replaceOnChanges`, `replacementTrigger`, `replaceWith`": () =>
    refused("refused", "replaceOnChanges: has no effect"),
  "`import`, `id`, `urn`": () => refused("refused", "import: cannot adopt an object on a host", "`takeOver`"),
  "`hooks`": () => refused("refused", "hooks: would run when the component is registered", "use `transforms`"),
  "`hideDiffs`, `version`, ...": () => refused("refused", "version: has no effect", "use `transforms`"),
  "`--target`, `--exclude`": () => {
    succeeded("target");
    expect(of("target").asked).toEqual(["gatehouse release plain"]);
    refused("componentAlone", `instead of --target '${URN}'`, `use --target '${PATTERN}'`);
    refused("componentExcluded", `instead of --exclude '${URN}'`, `use --exclude '${PATTERN}'`);
    const updates = (name: string) =>
      steps(name)
        .filter(({ op, newState }) => op === "update" && newState?.type === "command:remote:Command")
        .map(({ urn }) => nameOf(urn))
        .sort();
    const commands = RELEASES.map((name) => `${name}-release`).sort();
    expect(updates("exclude")).toEqual(commands.filter((name) => name !== "plain-release"));
    expect(updates("dependents")).toEqual(["plain-release"]);
  },
  "`--replace`, `--target-replace`": () => {
    succeeded("replace");
    expect(of("replace").asked).toEqual(["gatehouse release plain", "gatehouse remove plain"]);
    refused("componentReplaced", `instead of --replace '${URN}'`, `use --replace '${PATTERN}'`);
  },
  "`pulumi import`": () => refused("imported", "provider does not support importing resources"),
};

const documented = readFileSync(join(ROOT, "docs/resource-options.md"), "utf8").matchAll(/^\| (`.*?) \| (.*?) \|/gm);

test("the runs without an option that is refused succeed", () => {
  for (const name of ["platform", "first", "target", "exclude", "dependents", "replace", "removed"]) succeeded(name);
  expect(of("first").asked).toEqual(RELEASES.map((name) => `gatehouse release ${name}`).sort());
});

test("every row has a test", () => {
  expect([...documented].map(([, option]) => option)).toEqual(Object.keys(ROWS));
});

test.each(Object.keys(ROWS))("%s", (option) => ROWS[option]?.());
