// Resource options on every component: docs/resource-options.md. test/engine/options.test.ts shows them with an engine.
import * as pulumi from "@pulumi/pulumi";
import { RandomPassword } from "@pulumi/random";
import { expect, test } from "vitest";
import * as library from "../../components/library.ts";
import { EXPORTS } from "../unit/exports.ts";
import { HOST_KEY, record, SSH_KEY } from "./program.ts";

const { Account, App, Authentik, Backup, Caddy, Gatehouse, Group, Host, Packages, platforms } = library;
const { Postgres, Registries, Release, Valkey } = library;
type Options = pulumi.ComponentResourceOptions;

const connection = { address: "192.0.2.10", hostKey: HOST_KEY, privateKey: SSH_KEY };
const authentik = { domain: "auth.example.org", version: "2026.8.3" };
const host = () => new Host("host", { connection, platform: platforms.debian });
const postgres = () => new Postgres("postgres", { host: host(), databases: { authentik: {} } });

/** Declares one component of each kind, with what it needs. */
const KINDS: Record<string, (opts: Options) => unknown> = {
  Gatehouse: (opts) => new Gatehouse("it", { host: connection, authentik }, opts),
  Host: (opts) => new Host("it", { connection, platform: platforms.debian }, opts),
  Postgres: (opts) => new Postgres("it", { host: host() }, opts),
  Valkey: (opts) => new Valkey("it", { host: host(), databases: { wiki: 1 } }, opts),
  Registries: (opts) => new Registries("it", { host: host(), logins: {} }, opts),
  Authentik: (opts) => {
    const database = postgres();
    const on = new Host("second", { connection, platform: platforms.debian });
    return new Authentik("it", { host: on, postgres: database, ...authentik }, opts);
  },
  Caddy: (opts) => {
    const sites = { wiki: { domain: "wiki.example.org", backend: "127.0.0.1:8080" } };
    return new Caddy("it", { host: host(), sites }, opts);
  },
  Backup: (opts) => new Backup("it", { host: host(), after: [], repository: { path: "/srv/backups" } }, opts),
  App: (opts) => new App("it", { host: host(), valkey: {}, containers: { web: { image: "x.org/it:1" } } }, opts),
  Release: (opts) => new Release("it", { host: host(), manifest: {} }, opts),
  Account: (opts) => new Account("it", { host: host(), home: "/var/lib/it" }, opts),
  Group: (opts) => new Group("it", { host: host() }, opts),
  Packages: (opts) => new Packages("it", { host: host(), names: ["it"] }, opts),
};

test("the list has every component", () => {
  const classes = EXPORTS.filter(({ kind, name }) => kind === "class" && name !== "Platform");
  expect(Object.keys(KINDS).sort()).toEqual(classes.map(({ name }) => name).sort());
});

test.each(Object.keys(KINDS))("%s: `dependsOn` reaches every command in it, and no other", async (kind) => {
  const { resources } = await record({ config: {} }, () =>
    KINDS[kind]?.({ dependsOn: new RandomPassword("server", { length: 8 }) }),
  );
  const commands = resources.filter(({ type }) => type === "command:remote:Command");
  const within = commands.filter(({ urn }) => /::it(-[\w-]+)?$/.test(urn));
  expect(within.length).toBeGreaterThan(0);
  for (const { urn, dependsOn } of commands)
    expect([urn, dependsOn.includes("server")]).toEqual([urn, within.some((one) => one.urn === urn)]);
});

const REFUSED: Record<string, unknown> = {
  ignoreChanges: ["manifest"],
  customTimeouts: { create: "5m" },
  replaceOnChanges: ["*"],
  replacementTrigger: "x",
  import: "it",
  id: "it",
  urn: "urn:pulumi:test::gatehouse::gatehouse:index:Release::it",
  hooks: { afterUpdate: [] },
  hideDiffs: ["manifest"],
  version: "1.0.0",
};

test.each(Object.keys(KINDS))(
  "%s: options without an effect are refused together, before it is declared",
  async (kind) => {
    let message = "";
    const { resources } = await record({ config: {} }, () => {
      try {
        KINDS[kind]?.(REFUSED as Options);
      } catch (error) {
        expect(error).toBeInstanceOf(pulumi.RunError);
        message = (error as Error).message;
      }
    });
    const [first, ...lines] = message.split("\n");
    expect(first).toBe(`${kind} it is invalid; nothing was changed:`);
    expect(lines.map((line) => line.trim().split(":")[0])).toEqual(Object.keys(REFUSED));
    expect(resources.filter(({ urn }) => urn.endsWith("::it"))).toEqual([]);
  },
);

test("the options of a component that another one declares, and empty ones, are accepted", async () => {
  await record({ config: {} }, () => {
    const parent = new pulumi.ComponentResource("test:index:Shop", "shop");
    KINDS.Release?.({ parent, ignoreChanges: [], version: undefined, protect: true, retainOnDelete: true });
  });
});

test("`deletedWith` is refused for what is only removed from the host, and accepted for a server", async () => {
  await record({ config: {} }, () => {
    expect(() =>
      KINDS.Release?.({ deletedWith: new Host("other", { connection, platform: platforms.debian }) }),
    ).toThrow(
      /^Release it is invalid; nothing was changed:\n {2}deletedWith: expected a resource whose deletion deletes the host/,
    );
    KINDS.Group?.({ deletedWith: new RandomPassword("server", { length: 8 }) });
  });
});
