// An app gets another name, another parent, another stack or another project, with the engine under test/engine/with and a
// fake host: the messages of the preview, and the commands that reach the host.
import { createHash } from "node:crypto";
import { cpSync, rmSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { usually } from "../e2e/support/lab.ts";
import { type Sshd, sshd } from "../unit/sshd.ts";
import { Projects, type Result } from "./project.ts";
import { VAULT } from "./vault.ts";

const PROGRAM = `
import * as pulumi from "@pulumi/pulumi";
import { App, Host, inspect, platforms, quiet } from "gatehouse";

quiet();
const { connection, apps, below, takeOver } = JSON.parse(process.env.GIVEN);
const debian = { platform: platforms.debian };
const host = new Host("host", { connection, ...debian, takeOver, facts: await inspect(connection, debian, "on") });
const parent = below && new pulumi.ComponentResource("shop:index:Shelf", below);
const containers = { web: { image: "registry.example.org/wiki:1.4.2", secrets: { key: "k" }, volumes: { "/srv": "pages" } } };
for (const [name, { aliases = [], ...args }] of Object.entries(apps)) {
  const former = aliases.map((alias) => (alias.top ? { parent: pulumi.rootStackResource } : alias));
  new App(name, { host, containers, valkey: {}, ...args }, { parent, aliases: former });
}
`;

interface Given {
  apps: Record<string, object>;
  below?: string;
  takeOver?: string[];
}
type Place = readonly [project: string, stack: string];
interface Run extends Result {
  /** The commands that reached the host, without those that look at it. */
  asked: string[];
}

/** An agent that knows the owner and the data of each release, and the releases that each stack declared. */
class Agent {
  readonly owners: Record<string, string> = {};
  readonly items: Record<string, object> = {};
  readonly wants: Record<string, object> = {};

  answer({ command, stdin }: { command: string; stdin: string }): object {
    if (command === "sh -s" && stdin.includes("gatehouse facts"))
      return { protocol: 1, machine: "0123456789ab", items: this.items, wants: this.wants };
    if (command === "sh -s")
      return this.lookup(
        JSON.parse(JSON.parse(JSON.parse(/StringIO\(json\.loads\((".*")\)\)/.exec(stdin)?.[1] ?? "null"))),
      );
    const [, kind = "", name = "", due] = /^gatehouse (\w+) (\S+) --due (\S+)/.exec(command) ?? [];
    const [, removed = "", owner = ""] = /^gatehouse remove (\S+) --owner (\S+)/.exec(command) ?? [];
    if (removed && this.owners[removed] === owner) {
      delete this.owners[removed];
      delete this.items[`release-${removed}`];
    }
    if (kind === "release") this.owners[name] = /^owner = "(.*)"$/m.exec(stdin)?.[1] ?? "";
    const data = kind === "release" ? { data: [`/var/lib/${name}`] } : {};
    const document = createHash("sha256").update(stdin).digest("hex");
    if (due) this.items[`${kind}-${name}`] = { due, differences: [], document, ...data };
    return { uid: 700, gid: 701, versions: {}, generation: 1 };
  }

  lookup({
    claims,
    wants,
  }: {
    claims: { item: string; owner?: string }[];
    wants?: { stack: string; releases: object };
  }) {
    if (wants) this.wants[wants.stack] = wants.releases;
    return claims.flatMap(({ item, owner = "" }) => {
      const theirs = stackOf(this.owners[item.replace("release-", "")]);
      return theirs && theirs !== stackOf(owner) ? [{ thing: `stack ${theirs}`, what: "it has releases here" }] : [];
    });
  }
}
const stackOf = (owner = "") => owner.slice(0, owner.lastIndexOf("/"));

let agent: Agent;
let server: Sshd;
let projects: Projects;

async function pulumi(args: string[], given: Given, [project, stack]: Place = ["shop", "dev"]): Promise<Run> {
  const connection = { address: "127.0.0.1", port: server.port, hostKey: server.hostKey, privateKey: server.key };
  const before = server.asked.length;
  const variables = { GIVEN: JSON.stringify({ connection, ...given }) };
  const result = await projects.run(
    project,
    "pulumi",
    [...args, "--stack", stack, "--non-interactive", "--color", "never"],
    {
      variables,
    },
  );
  const asked = server.asked.slice(before).map(({ command }) => command.replace(/ --due .*/, ""));
  return { ...result, asked: asked.filter((command) => !command.startsWith("sh ")).sort() };
}
const must = async (...args: Parameters<typeof pulumi>): Promise<Run> => {
  const run = await pulumi(...args);
  expect(`${run.status} ${run.status === 0 ? "" : run.text}`).toBe("0 ");
  return run;
};
const INIT = ["stack", "init", "--secrets-provider", VAULT];
const UP = ["up", "--yes", "--skip-preview"];
const WIKI = { apps: { wiki: {} } };
/** The commands of a preview by their operation. */
async function planned(given: Given): Promise<Record<string, string[]>> {
  const { steps } = JSON.parse((await must(["preview", "--json"], given)).text) as {
    steps: { op: string; urn: string }[];
  };
  const commands = steps.filter(({ urn, op }) => urn.includes("command:remote:Command") && op !== "same");
  const ops = [...new Set(commands.map(({ op }) => op))].sort();
  return Object.fromEntries(
    ops.map((op) => [
      op,
      commands
        .filter((step) => step.op === op)
        .map(({ urn }) => urn.split("::")[3] ?? "")
        .sort(),
    ]),
  );
}

/** The state and the host after the first update. */
let deployed: { backend: string; agent: Agent };

beforeAll(async () => {
  agent = new Agent();
  server = await sshd({
    get stdout() {
      return `${JSON.stringify(agent.answer(server.asked.at(-1) ?? { command: "", stdin: "" }))}\n`;
    },
  });
  projects = new Projects("renames-test");
  for (const name of ["shop", "library"]) projects.add(name, { "index.ts": PROGRAM });
  await must(INIT, WIKI);
  await must(UP, WIKI);
  deployed = { backend: join(projects.folder, "deployed"), agent };
  cpSync(join(projects.folder, "backend"), deployed.backend, { recursive: true });
});
beforeEach(() => {
  agent = Object.assign(new Agent(), structuredClone({ ...deployed.agent }));
  rmSync(join(projects.folder, "backend"), { recursive: true });
  cpSync(deployed.backend, join(projects.folder, "backend"), { recursive: true });
});
afterAll(async () => {
  await server.close();
  projects.remove();
});

const RELEASES = ["app-wiki", "app-wiki-secrets", "app-wiki-valkey"];
const MOVED = ["wiki-app-release", "wiki-app-secrets-release", "wiki-app-valkey-release"];
/** The command that removes a release of an app with another name than its releases. */
const removal = (release: string) =>
  expect.stringMatching(new RegExp(`^gatehouse remove ${release} --owner shop/dev/${release}@[0-9a-f]{8}$`));

describe("another name", () => {
  test("with an alias and the former name on the host: the same releases get their new owner", async () => {
    const renamed = { apps: { docs: { appName: "wiki", aliases: [{ name: "wiki" }] } } };
    expect(await planned(renamed)).toEqual({ update: MOVED.map((name) => name.replace("wiki", "docs")) });
    const { asked } = await must(UP, renamed);
    expect(asked).toEqual(RELEASES.map((name) => `gatehouse release ${name}`));
    expect(Object.keys(agent.owners).sort()).toEqual(RELEASES);
    await must([...UP, "--expect-no-changes"], renamed);
    // The former name is not needed any longer.
    await must([...UP, "--expect-no-changes"], { apps: { docs: { appName: "wiki" } } });
    expect((await must(UP, { apps: {} })).asked).toEqual(expect.arrayContaining(RELEASES.map(removal)));
    expect(agent.owners).toEqual({});
  });

  test("with the former name on the host, but without an alias: the releases are applied again, and not removed", async () => {
    const { asked } = await must(UP, { apps: { docs: { appName: "wiki", purge: true } } });
    expect(asked).toEqual(
      expect.arrayContaining(["gatehouse release app-wiki", "gatehouse remove app-wiki --owner shop/dev/app-wiki"]),
    );
    expect(Object.keys(agent.owners).sort()).toEqual(RELEASES);
  });

  test("with an alias alone it is refused, with the argument that keeps the data", async () => {
    const { status, text, asked } = await pulumi(UP, { apps: { docs: { aliases: [{ name: "wiki" }] } } });
    expect([status === 0, asked]).toEqual([false, []]);
    expect(text).toContain(
      'App docs is invalid; nothing was changed:\n      aliases: wiki is also its name on the host: set appName to "wiki" to keep what it has there, or leave out the alias to begin without that',
    );
  });

  test("without an alias the preview says which data stays, and the alias that keeps it in use", async () => {
    const { text } = await must(["preview"], { apps: { docs: {} } });
    expect(text).toContain(
      "no longer declared on this host: app-wiki, app-wiki-secrets, app-wiki-valkey; new: app-docs, app-docs-secrets, app-docs-valkey. " +
        "The update removes the former. Their data stays (/var/lib/app-wiki, /var/lib/app-wiki-secrets, /var/lib/app-wiki-valkey), and the new ones begin without it. ",
    );
    expect(text).toContain('new App("docs", { appName: "wiki", ... }, { aliases: [{ name: "wiki" }] })');
  });

  test("a release that is only added, or only removed, is no rename", async () => {
    const more = await must(["preview"], { apps: { wiki: {}, docs: {} } });
    expect(more.text).not.toContain("no longer declared");
    expect((await must(["preview"], { apps: {} })).text).not.toContain("no longer declared");
  });

  test("on the host alone: the releases with the former name are removed first", async () => {
    const renamed = { apps: { wiki: { appName: "docs" } } };
    expect((await must(["preview"], renamed)).text).toContain("no longer declared on this host: app-wiki,");
    const { asked } = await must(UP, renamed);
    expect(asked).toEqual(
      expect.arrayContaining(["gatehouse release app-docs", "gatehouse remove app-wiki --owner shop/dev/app-wiki"]),
    );
    expect(Object.keys(agent.owners).sort()).toEqual(["app-docs", "app-docs-secrets", "app-docs-valkey"]);
  });
});

test("another parent, with an alias: the same releases get their new owner", async () => {
  const moved = { apps: { wiki: { aliases: [{ top: true }] } }, below: "shelf" };
  expect(await planned(moved)).toEqual({ update: MOVED });
  expect((await must(UP, moved)).asked).toEqual(RELEASES.map((name) => `gatehouse release ${name}`));
  expect(Object.keys(agent.owners).sort()).toEqual(RELEASES);
});

test("another parent, without an alias: the same releases are applied again, and not removed afterwards", async () => {
  const { asked } = await must(UP, { ...WIKI, below: "shelf" });
  expect(asked).toContain("gatehouse release app-wiki");
  expect(Object.keys(agent.owners).sort()).toEqual(RELEASES);
});

describe("another stack or project", () => {
  /** Moves the state, as `pulumi stack rename` does for a stack, and an export for a project. */
  const toStack = () => must(["stack", "rename", "prod"], WIKI);
  const toProject = async () => {
    const { text } = await must(["stack", "export"], WIKI);
    const input = text.replaceAll("::shop::", "::library::").replaceAll("shop-dev", "library-dev");
    await must(INIT, WIKI, LIBRARY);
    const { status } = await projects.run("library", "pulumi", ["stack", "import", "--stack", "dev"], { input });
    expect(status).toBe(0);
  };
  const PROD: Place = ["shop", "prod"];
  const LIBRARY: Place = ["library", "dev"];
  const byAlias = (alias: object): Given => ({ apps: { wiki: { aliases: [alias] } } });
  const takeOver = { ...WIKI, takeOver: ["stack shop/dev"] };

  const MOVES: [string, () => Promise<unknown>, Place, Given][] = [
    ["a stack, by takeOver", toStack, PROD, takeOver],
    ["a project, by an alias", toProject, LIBRARY, byAlias({ project: "shop" })],
    ["a stack, by an alias", toStack, PROD, byAlias({ stack: "dev" })],
    ["a project, by takeOver", toProject, LIBRARY, takeOver],
  ];
  test.each(usually(2, MOVES))(
    "%s: each release gets its new owner, and none is removed",
    async (_, move, place, given) => {
      await move();
      const refused = await pulumi(UP, WIKI, place);
      expect([refused.status === 0, refused.asked]).toEqual([false, []]);
      expect(refused.text).toContain("- stack shop/dev");
      expect((await must(["preview"], given, place)).text).toContain(
        "taken over: stack shop/dev: it has releases here",
      );
      const { asked } = await must(UP, given, place);
      expect(asked.filter((command) => command.startsWith("gatehouse remove"))).toEqual([]);
      expect(agent.owners).toEqual(Object.fromEntries(RELEASES.map((name) => [name, `${place.join("/")}/${name}`])));
      expect((await must([...UP, "--expect-no-changes"], given, place)).asked).toEqual([]);
    },
  );
});
