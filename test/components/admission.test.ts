// The program asks the host about the ownership of its names before anything is declared.
import { createHash } from "node:crypto";
import * as pulumi from "@pulumi/pulumi";
import { afterEach, describe, expect, test } from "vitest";
import { inspect } from "../../components/connection/inspect.ts";
import { debian } from "../../components/distribution/debian.ts";
import { Account } from "../../components/host/account.ts";
import { Group } from "../../components/host/group.ts";
import { Host } from "../../components/host/host.ts";
import { Packages } from "../../components/host/packages.ts";
import { Release } from "../../components/host/release.ts";
import type { Facts } from "../../protocol/facts.ts";
import { manifestText } from "../../protocol/manifest.ts";
import { type Claim, digestOf, type Question, type UnmanagedObject } from "../../protocol/things.ts";
import { difference } from "../plan/program.ts";
import { type Sshd, sshd } from "../unit/sshd.ts";
import { HOST_KEY, type Run, record } from "./program.ts";
import { rejectionsOf } from "./rejections.ts";

const EXPECTATIONS = { platform: debian };
const OWNER = "gatehouse/test/wiki";
const MANIFEST = {
  files: [
    {
      path: "/etc/containers/systemd/wiki.container",
      mode: "0644",
      owner: "root:root",
      content: "ContainerName=wiki\nVolume=kept:/data\nVolume=/srv:/srv\n",
    },
    { path: "/var/lib/gatehouse/secrets/wiki/{generation}/key", mode: "0400", owner: "root:root", content: "" },
  ],
  units: [{ name: "wiki.service" }],
  listens: ["127.0.0.1:80/tcp"],
};
const THINGS = [
  "container wiki",
  "file /etc/containers/systemd/wiki.container",
  "port 127.0.0.1:80/tcp",
  "unit wiki.service",
  "volume kept",
];
const sha256 = (text: string) => createHash("sha256").update(text).digest("hex");
const SKETCH = sha256(manifestText("wiki", OWNER, false, MANIFEST));
const left = (claims?: string) => ({ due: "0123456789ab/0", differences: [], claims });

let server: Sshd;
afterEach(() => server.close());

interface Ran {
  run: Run | undefined;
  reported: string[];
  /** The claims that the host was asked about, by request. */
  asked: Claim[][];
  /** What it was asked to record with each of them. */
  wanted: Question["wants"][];
}

/** Runs a program with an account, a group, packages and a release, on a host with these unmanaged objects. */
async function program(
  unmanagedObjects: UnmanagedObject[],
  { items = {} as Facts["items"], takeOver = [] as string[], wants = {} as Facts["wants"], preview = false } = {},
) {
  const facts = `${JSON.stringify({ protocol: 1, machine: "0123456789ab", items, wants })}\n`;
  server = await sshd((stdin) => ({
    stdout: stdin.includes("gatehouse facts") ? facts : JSON.stringify(unmanagedObjects),
  }));
  const { port, hostKey, key: privateKey } = server;
  const connection = { address: "127.0.0.1", port, hostKey, privateKey };
  let run: Run | undefined;
  const reported = await rejectionsOf(async () => {
    run = await record({ config: {}, preview }, async () => {
      const found = await inspect(connection, EXPECTATIONS, "on");
      const host = new Host("host", { connection, ...EXPECTATIONS, takeOver, facts: found });
      const clients = new Group("clients", { host });
      new Account("wiki", { host, home: "/srv", groups: [clients] });
      new Packages("wiki", { host, names: ["wiki"], held: ["wiki.service"] });
      const manifest = pulumi.output(MANIFEST);
      new Release("wiki", { host, manifest, sketch: MANIFEST });
      await new Promise((resolve) => setTimeout(resolve, 200));
    });
  });
  const questions = server.asked.filter(({ stdin }) => !stdin.includes("gatehouse facts"));
  const said: Question[] = questions.map(({ stdin }) =>
    JSON.parse(JSON.parse(JSON.parse(/json\.loads\((".*")\)\)$/m.exec(stdin)?.[1] ?? ""))),
  );
  const asked = said.map(({ claims }) => [...claims]);
  return { run, reported, asked, wanted: said.map(({ wants }) => wants) } satisfies Ran;
}

describe("a host on which the stack was never deployed", () => {
  test("is asked once, over the connection of the facts, about everything that is declared together", async () => {
    const { run, reported, asked, wanted } = await program([]);
    expect(reported).toEqual([]);
    expect([server.connections, server.sessions]).toEqual([1, 2]);
    expect(wanted).toEqual([{ stack: "gatehouse/test", releases: { wiki: SKETCH } }]);
    expect(asked).toEqual([
      [
        { item: "packages-wiki", packages: ["wiki"], things: ["unit wiki.service"] },
        { item: "group-clients", things: ["group clients"] },
        { item: "account-wiki", things: ["account wiki"], groups: ["clients"] },
        { item: "release-wiki", owner: OWNER, things: THINGS },
      ],
    ]);
    expect(run?.named("release-wiki").inputs.create).toMatch(/^gatehouse release wiki --due 0123456789ab/);
    expect(run?.warnings).toEqual([]);
  });

  test("ends the program before its first command if names are in use, with all of them and the remedy", async () => {
    const { run, reported } = await program([
      { thing: "account wiki", what: "UID 1000, a member of sudo" },
      { thing: "volume kept", what: "created by hand\u001b[2J" },
    ]);
    expect(reported).toEqual([
      `this host has objects that gatehouse did not create, with names that this stack uses; nothing was changed:
  account wiki: UID 1000, a member of sudo
  volume kept: created by hand\\x1b[2J
Rename or remove them, or choose another name or port in the configuration. To have gatehouse take over all or some of them, list them there:
  gatehouse:host:
    takeOver:
      - account wiki
      - volume kept
(a program with apps passes takeOver to its Host). More: docs/authentik-deployment-guide.md#pulumi-says-this-host-has-objects-that-gatehouse-did-not-create`,
    ]);
    expect(run?.resources.filter(({ custom }) => custom) ?? []).toEqual([]);
  });

  test("continues if all of them may be taken over, warns about each, and passes them to the agent", async () => {
    const takeOver = ["account wiki", "volume kept", "stack shop/old"];
    const { run, reported } = await program([{ thing: "account wiki", what: "UID 1000" }], { takeOver });
    expect(reported).toEqual([]);
    expect(run?.warnings).toEqual([{ resource: "host-agent", message: "taken over: account wiki: UID 1000" }]);
    const takes = (name: string) => /^takes = .*$/m.exec(String(run?.named(name).inputs.stdin))?.[0];
    expect(takes("account-wiki")).toBe('takes = ["account wiki", "stack shop/old"]');
    expect(takes("release-wiki")).toBe('takes = ["volume kept", "stack shop/old"]');
    expect(takes("group-clients")).toBe('takes = ["stack shop/old"]');
  });
});

describe("a host on which this stack already has everything", () => {
  const claims = digestOf({ item: "", owner: OWNER, things: THINGS });
  const items = { "account-wiki": left(), "group-clients": left(), "release-wiki": left(claims) };

  const wants = { "gatehouse/test": { wiki: SKETCH }, "shop/prod": { caddy: "" } };

  test("is not asked", async () => {
    const { reported, asked } = await program([{ thing: "account wiki", what: "not reported" }], { items, wants });
    expect([reported, asked, server.connections, server.sessions]).toEqual([[], [], 1, 1]);
  });

  test.each([
    ["of a stack that is new to it", {}],
    ["that are different since the last update", { "gatehouse/test": { wiki: SKETCH, former: "" } }],
    ["of which one is wanted in another version", { "gatehouse/test": { wiki: "1".repeat(64) } }],
  ])("is given the releases %s in an update, and asked nothing else; a preview gives it none", async (_, wants) => {
    const update = await program([], { items, wants });
    expect([update.asked, update.wanted]).toEqual([[[]], [{ stack: "gatehouse/test", releases: { wiki: SKETCH } }]]);
    expect([server.connections, server.sessions]).toEqual([1, 2]);
    server.close();
    expect((await program([], { items, wants, preview: true })).asked).toEqual([]);
  });

  test.each([
    ["has", SKETCH, false],
    ["has as another version", "1".repeat(64), true],
    ["has from an agent that did not record its version", undefined, false],
  ])("is sent a release that it %s again: %s, %s", async (_, sketch, isSent) => {
    const document = String((await program([])).run?.named("release-wiki").inputs.stdin);
    server.close();
    const there = { ...left(claims), document: sha256(document), sketch };
    const { run } = await program([], { items: { ...items, "release-wiki": there }, wants });
    const create = String(run?.named("release-wiki").inputs.create);
    expect(create).toMatch(isSent ? /^gatehouse release wiki --due 0123456789ab\/0\.\d+$/ : / --due 0123456789ab\/0$/);
  });

  test.each([
    [
      "the release is another stack's",
      { "release-wiki": left(digestOf({ item: "", owner: "shop/old/wiki", things: THINGS })) },
      "release-wiki",
    ],
    [
      "the release needs one more name",
      { "release-wiki": left(digestOf({ item: "", owner: OWNER, things: THINGS.slice(1) })) },
      "release-wiki",
    ],
    ["its agent is older", { "release-wiki": left() }, "release-wiki"],
    [
      "the account is different",
      {
        "account-wiki": {
          ...left(),
          differences: [difference("account", "wiki", "changed", "account wiki is uid=1001, it was uid=998")],
        },
      },
      "account-wiki",
    ],
  ])("is asked only about the rest if %s", async (_, changed, item) => {
    const { reported, asked } = await program([], { items: { ...items, ...changed }, wants });
    expect(reported).toEqual([]);
    expect(asked.map((claims) => claims.map(({ item }: Claim) => item))).toEqual([["packages-wiki", item]]);
  });
});

test.each(["login deploy", "account", "file etc/x", "port 443", "stack shop", "account a b", "unit caddy"])(
  "%j cannot be taken over",
  async (thing) => {
    server = await sshd({});
    const connection = { address: "192.0.2.1", hostKey: HOST_KEY };
    const reported = await rejectionsOf(() =>
      record({ config: {} }, () => {
        new Host("host", { connection, platform: debian, takeOver: [thing] });
      }),
    );
    expect(reported).toEqual([
      `Host host is invalid; nothing was changed:\n  takeOver.0: expected a kind (account, group, file, unit, pod, container, volume, port, stack) and a name, such as "account authentik", "file /etc/caddy/Caddyfile", "port *:443/tcp" or "stack PROJECT/STACK", got "${thing}"`,
    ]);
  },
);
