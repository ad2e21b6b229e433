// Resources keep their place in the state: a stack from before a program could have several hosts is deployed as it is.
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { App } from "../../components/app/app.ts";
import { debian } from "../../components/distribution/debian.ts";
import { formerNames } from "../../components/gatehouse/former-names.ts";
import { Gatehouse } from "../../components/gatehouse/gatehouse.ts";
import { Account } from "../../components/host/account.ts";
import { Host } from "../../components/host/host.ts";
import { Release } from "../../components/host/release.ts";
import { CASES } from "../render/cases.ts";
import { HOST_KEY, type Recorded, record, runProgram } from "./program.ts";

const IMAGE = "docker.io/library/web:1";
const recorded = (name: string) =>
  readFileSync(new URL(`${name}.urns`, import.meta.url), "utf8")
    .trimEnd()
    .split("\n");
const newHost = (name: string, address = "192.0.2.10") =>
  new Host(name, { connection: { address, hostKey: HOST_KEY }, platform: debian });

const PARENT = /^(.*)\$[^$]*$/;
const parted = (urn: string) => {
  const [stack, project, type = "", name = ""] = urn.split("::");
  return { head: `${stack}::${project}`, parents: PARENT.exec(type)?.[1], type: type.split("$").at(-1), name };
};

/** The engine's search for a resource in the state: its URN, its aliases, and both below the parent's former URN. */
function found(resource: Recorded, all: readonly Recorded[], state: ReadonlySet<string>): string | undefined {
  const { head, parents, type, name } = parted(resource.urn);
  const parent = all.find(({ urn }) => urn === resource.parentUrn);
  const former = parent && found(parent, all, state);
  const own = [{ name: "", noParent: false }, ...resource.aliases];
  const candidates = own.flatMap((alias) => {
    const above = alias.noParent ? undefined : parents;
    const called = alias.name || name;
    const direct = [head, [above, type].filter(Boolean).join("$"), called].join("::");
    if (!parent || !former || alias.noParent) return [direct];
    const before = parted(parent.urn).name;
    const renamed = called.startsWith(before) ? parted(former).name + called.slice(before.length) : called;
    return [direct, [head, `${former.split("::")[2]}$${type}`, renamed].join("::")];
  });
  return candidates.find((urn) => state.has(urn));
}

/** The recorded URNs that a program no longer finds, and those that it finds twice. */
function lost(all: readonly Recorded[], urns: readonly string[]): { gone: string[]; twice: string[] } {
  const state = new Set(urns);
  const kept = all.flatMap((resource) => found(resource, all, state) ?? []);
  return {
    gone: urns.filter((urn) => !kept.includes(urn)),
    twice: kept.filter((urn, index) => kept.indexOf(urn) !== index),
  };
}

const app = (host: Host) =>
  new App("wiki", {
    host,
    containers: { web: { image: IMAGE, port: 8080, secrets: { key: "k" } } },
    postgres: { clients: { groupName: "postgres-clients", gid: 987 } },
    valkey: {},
    site: { domain: "wiki.example.org", port: 8080 },
  });
const REGISTRIES = { registries: '{"ghcr.io":{"username":"u","password":"p"}}' };

test("a stack of the platform keeps every resource", async () => {
  const { resources } = await runProgram({ config: CASES.full as Record<string, unknown>, secrets: REGISTRIES });
  expect(lost(resources, recorded("platform"))).toEqual({ gone: [], twice: [] });
  const urns = recorded("platform").map((urn) => urn.replace("::release-caddy", "::release-caddie"));
  expect(lost(resources, urns).gone).toHaveLength(1);
});

test("only the program of the configuration takes over resources at the top: in another one they stay", async () => {
  const { resources } = await record({ config: {} }, () => {
    newHost("host", "192.0.2.11");
    platform("one", "192.0.2.10");
  });
  const urn = "urn:pulumi:test::gatehouse::gatehouse:index:Host::host";
  expect(lost(resources, [urn, urn.replace(/host$/, "gone")])).toEqual({
    gone: [urn.replace(/host$/, "gone")],
    twice: [],
  });
});

test("a stack of an app keeps every resource", async () => {
  const { resources } = await record({ config: {} }, () => app(newHost("host")));
  expect(lost(resources, recorded("app"))).toEqual({ gone: [], twice: [] });
});

test("an app in the program of the platform keeps every resource, although its host has another name now", async () => {
  const { resources } = await record({ config: {} }, () => {
    const host = { address: "192.0.2.10", hostKey: HOST_KEY };
    const authentik = { domain: "auth.example.org", version: "2026.8.3" };
    app(new Gatehouse("gatehouse", { host, authentik }, { transformations: [formerNames] }).host);
  });
  expect(lost(resources, recorded("app"))).toEqual({ gone: [], twice: [] });
});

/** A whole platform with an app. */
function platform(name: string, address: string): void {
  const { host, postgres } = new Gatehouse(name, {
    host: { address, hostKey: HOST_KEY },
    valkey: { databases: { authentik: 1 } },
    authentik: { domain: "auth.example.org", version: "2025.8.4" },
    backup: { repository: { path: "/srv/backups" } },
    registries: { "ghcr.io": { username: "u", password: "p" } },
  });
  new App(`${name}-wiki`, { host, postgres, appName: "wiki", containers: { web: { image: IMAGE } }, valkey: {} });
}

test("two hosts in one program have the same items, each below its own resources", async () => {
  const { resources } = await record({ config: {} }, () => {
    platform("one", "192.0.2.10");
    platform("two", "192.0.2.11");
  });
  const urns = resources.map(({ urn }) => urn);
  expect(new Set(urns).size).toBe(urns.length);
  for (const { urn } of resources) expect(urn.split("::")[3]).toMatch(/^(one|two)(-|$)/);
  const items = (host: string) =>
    resources
      .filter(({ type, urn }) => type === "command:remote:Command" && urn.includes(`::${host}-`))
      .map(({ name, inputs }) => [name.replace(/^(one|two)-/, ""), inputs.create, String(inputs.delete).split("@")[0]])
      .sort();
  expect(items("one")).toHaveLength(30);
  expect(items("two")).toEqual(items("one"));
});

test("a release and an account have another name on the host than in the program", async () => {
  const run = await record({ config: {} }, () => {
    const host = newHost("host");
    new Account("two", { host, accountName: "wiki", home: "/var/lib/wiki", releases: ["wiki"] });
    new Release("two", { host, releaseName: "wiki", manifest: {} });
  });
  expect(run.named("account-wiki").inputs.stdin).toMatch(/^name = "wiki"\n.*owner = "gatehouse\/test\/wiki"\n/s);
  expect(run.named("release-wiki").inputs).toMatchObject({
    create: "gatehouse release wiki --due never-asked",
    delete: expect.stringMatching(/^gatehouse remove wiki --owner gatehouse\/test\/wiki@[0-9a-f]{8}$/),
    stdin: expect.stringContaining('release = "wiki"\n'),
  });
});

test("an item that is declared twice on one host is refused, and on another host it is not", async () => {
  await record({ config: {} }, () => {
    const [host, other] = [newHost("host"), newHost("other", "192.0.2.11")];
    new Release("wiki", { host, manifest: {} });
    expect(() => new Release("two", { host, releaseName: "wiki", manifest: {} })).toThrow(
      "release wiki is declared twice on the same host",
    );
    new Release("three", { host: other, releaseName: "wiki", manifest: {} });
  });
});
