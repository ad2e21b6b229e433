// The name of an item is part of a command, which the host's shell reads: a name that the agent refuses is refused here.
import { expect, test } from "vitest";
import { debian } from "../../components/distribution/debian.ts";
import { Account } from "../../components/host/account.ts";
import { Group } from "../../components/host/group.ts";
import { Host } from "../../components/host/host.ts";
import { Packages } from "../../components/host/packages.ts";
import { Release } from "../../components/host/release.ts";
import { HOST_KEY, record } from "./program.ts";

const kinds = {
  group: (host: Host, name: string) => new Group(name, { host }),
  account: (host: Host, name: string) => new Account(name, { host, home: "/var/lib/x" }),
  packages: (host: Host, name: string) => new Packages(name, { host, names: ["caddy"] }),
  release: (host: Host, name: string) => new Release(name, { host, manifest: {} }),
};
type Kind = keyof typeof kinds;

async function refusal(kind: Kind, name: string): Promise<string> {
  let message = "none";
  await record({ config: {} }, () => {
    const connection = { address: "192.0.2.10", hostKey: HOST_KEY };
    const host = new Host("host", { connection, platform: debian, gids: {} });
    try {
      kinds[kind](host, name);
    } catch (error) {
      message = (error as Error).message;
    }
  });
  return message;
}

const UNSAFE = ["Hello World", "x;reboot", "$(id)", "a\nb", "../x", "-x"];

test.each(Object.keys(kinds) as Kind[])("a %s with a name that the host cannot have is refused", async (kind) => {
  for (const name of kind === "packages" ? UNSAFE : [...UNSAFE, "Caddy", "9x"])
    expect([name, await refusal(kind, name)]).toEqual([
      name,
      expect.stringMatching(new RegExp(`^${kind} .*: expected a name of .*; choose another name$`)),
    ]);
  expect(await refusal(kind, "a".repeat(64))).toMatch(kind === "packages" ? "none" : /at most \d\d long; choose/);
});

test.each<[Kind, string[]]>([
  ["group", ["postgres-clients", "web_1", "a".repeat(31)]],
  ["account", ["authentik", "app-1", "a".repeat(31)]],
  ["packages", ["gatehouse-Test.1_x-host-podman"]],
  ["release", ["hello-1", "a".repeat(63)]],
])("a %s with another name is declared", async (kind, names) => {
  for (const name of names) expect([name, await refusal(kind, name)]).toEqual([name, "none"]);
});

test("other arguments that the host cannot have are refused, all together, before anything is declared", async () => {
  const refused = async (body: (host: Host) => unknown) => {
    let message = "none";
    await record({ config: {} }, () => {
      const connection = { address: "192.0.2.10", hostKey: HOST_KEY };
      const host = new Host("host", { connection, platform: debian, gids: {} });
      try {
        body(host);
      } catch (error) {
        message = (error as Error).message;
      }
    });
    return message.split("\n");
  };
  expect(await refused((host) => new Packages("web", { host, names: ["--purge", "a b"], held: ["caddy"] }))).toEqual([
    "Packages web is invalid; nothing was changed:",
    '  names.0: expected the name of a package such as caddy, got "--purge"',
    '  names.1: expected the name of a package such as caddy, got "a b"',
    '  held.0: expected the name of a unit such as caddy.service, got "caddy"',
  ]);
  expect(await refused((host) => new Packages("web", { host, names: [] }))).toHaveLength(2);
  expect(await refused((host) => new Account("wiki", { host, home: "lib/wiki", uid: 0 }))).toEqual([
    "Account wiki is invalid; nothing was changed:",
    '  home: expected an absolute path such as /var/lib/wiki, got "lib/wiki"',
    "  uid: expected a UID of at least 1, got 0",
  ]);
  expect(await refused((host) => new Group("wiki", { host, gid: 0 }))).toEqual([
    "Group wiki is invalid; nothing was changed:",
    "  gid: expected a GID from 1 to 65533, got 0",
  ]);
  const held = ["postgresql@17-main.service"];
  expect(await refused((host) => new Packages("web", { host, names: ["libstdc++6", "g++"], held }))).toEqual(["none"]);
  expect(await refused((host) => new Account("wiki", { host, home: "/var/lib/wiki", uid: 990 }))).toEqual(["none"]);
  expect(await refused((host) => new Group("wiki", { host, gid: 990 }))).toEqual(["none"]);
});
