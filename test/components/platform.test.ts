// A program on top of the platform: the result of `Platform.fromStack`, and its error messages.
import * as pulumi from "@pulumi/pulumi";
import { describe, expect, test } from "vitest";
import { inspect } from "../../components/connection/inspect.ts";
import { platforms } from "../../components/distribution/distributions.ts";
import { Account } from "../../components/host/account.ts";
import { usableGid } from "../../components/host/group.ts";
import { Host } from "../../components/host/host.ts";
import { Platform } from "../../components/platform/consumer.ts";
import { FACTS } from "./facts.ts";
import { HOST_KEY, record, resolved, type Settings, SSH_KEY, UNKNOWN } from "./program.ts";
import { rejectionsOf } from "./rejections.ts";

const STACK = "organization/gatehouse/prod";
interface Case extends Partial<Settings> {
  /** @default - FACTS */
  platform?: unknown;
  body?: (platform: Platform) => unknown;
}

/** Runs a consumer of the stack. */
async function consume({ platform = FACTS, body = () => {}, ...settings }: Case = {}) {
  let read: Platform | undefined;
  const run = await record({ config: {}, stacks: { [STACK]: { logins: {}, platform } }, ...settings }, async () => {
    read = await Platform.fromStack(STACK);
    await body(read);
  });
  return { run, platform: read as Platform };
}

/** The message shown to a user; anything but a single RunError fails the test. */
async function refusal(settings: Case): Promise<string> {
  let thrown: unknown;
  const reported = await rejectionsOf(() =>
    consume(settings).catch((error: unknown) => {
      thrown = error;
    }),
  );
  expect(pulumi.RunError.isInstance(thrown), String(thrown)).toBe(true);
  expect(reported.filter((message) => message !== (thrown as Error).message)).toEqual([]);
  return (thrown as Error).message;
}

/** The facts with one value replaced, by its path; undefined removes the key. */
function changed(path: string, value: unknown): unknown {
  const copy = JSON.parse(JSON.stringify(FACTS));
  const keys = path.split(".");
  const last = keys.pop() as string;
  // biome-ignore lint/suspicious/noExplicitAny: any place in a tree of plain values
  const parent = keys.reduce((inner, key) => inner[key], copy as any);
  parent[last] = value;
  return JSON.parse(JSON.stringify(copy));
}

/** A consumer's use of the platform. */
const wiki = (platform: Platform) => {
  const connection = { ...platform.host, privateKey: SSH_KEY };
  const host = new Host("host", { connection, platform: platforms.debian });
  new Account("wiki", { host, home: "/var/lib/wiki", groups: [platform.groups.postgres] });
  return usableGid(platform.groups.postgres, "wiki");
};

test("every fact arrives, none of them secret", async () => {
  const { platform } = await consume();
  const { host, groups, postgres, valkey, caddy, authentik } = platform;
  const { schemaVersion: _, groups: named, ...facts } = FACTS;
  expect(await resolved({ host, postgres, valkey, caddy, authentik })).toEqual(facts);
  expect(await resolved(groups)).toEqual({
    postgres: { groupName: "postgres-clients", gid: named.postgres.gid },
    valkey: { groupName: "valkey-clients", gid: named.valkey.gid },
  });
  expect(platform.stack).toBe(STACK);
  expect(await resolved(platform.valkey.databases)).toEqual({ wiki: 3 });
});

test("a host and an account use it: address, host key and group of the other stack", async () => {
  let gid: unknown;
  const { run } = await consume({ body: async (platform) => (gid = await resolved(wiki(platform))) });
  const connection = { host: "192.0.2.10", port: 2222, user: "root", hostKey: HOST_KEY, privateKey: SSH_KEY };
  expect(run.named("host-agent").inputs.connection).toMatchObject({ value: connection });
  expect(run.named("account-wiki").inputs.stdin).toContain('groups = ["postgres-clients"]\n');
  expect(gid).toBe(987);
});

test("additional keys of a newer platform are ignored at any depth, without a fault", async () => {
  const more = { ...FACTS, backups: { at: "03:00" }, groups: { ...FACTS.groups, mail: { name: "mail", gid: 0 } } };
  const { platform } = await consume({ platform: more });
  expect(await resolved(platform.groups.valkey.gid)).toBe(986);
  expect(Object.keys(platform.groups)).toEqual(["postgres", "valkey"]);
});

const NOT_KNOWN =
  "Not known before the update: host.address, host.port, host.hostKey. It comes from a server or a stack that does not exist yet, so only the update checks whether the host can be used, and whether other objects on it have the names of this program";

test("in a preview in which the stack has not been read yet, everything is unknown and nothing fails", async () => {
  const reported = await rejectionsOf(async () => {
    const { run, platform } = await consume({
      preview: true,
      stacks: { [STACK]: undefined },
      body: async (platform) => {
        wiki(platform);
        const connection = { ...platform.host, privateKey: SSH_KEY };
        expect(await inspect(connection, { platform: platforms.debian }, "on")).toBeUndefined();
      },
    });
    expect(await resolved([platform.host, platform.caddy])).toEqual([
      { address: UNKNOWN, port: UNKNOWN, hostKey: UNKNOWN, platform: UNKNOWN },
      UNKNOWN,
    ]);
    expect(run.named("account-wiki").inputs.stdin).toBe(UNKNOWN);
    expect(run.warnings.map(({ message }) => message)).toEqual([
      `${NOT_KNOWN}. The preview continues without checking the host for drift.`,
    ]);
  });
  expect(reported).toEqual([]);
});

test("if an inspection of the host is required, an unknown address is an error", async () => {
  const look = (platform: Platform) => inspect({ ...platform.host }, { platform: platforms.debian }, "required");
  const message = await refusal({ preview: true, stacks: { [STACK]: undefined }, body: look });
  expect(message).toBe(NOT_KNOWN);
});

test("an account checks the GID of a group that no schema has checked", async () => {
  const body = (platform: Platform) => {
    const host = new Host("host", { connection: platform.host, platform: platforms.debian });
    new Account("wiki", { host, home: "/var/lib/wiki", groups: [{ groupName: "root", gid: 0 }] });
  };
  const reported = await rejectionsOf(() => consume({ body }));
  expect(reported).not.toEqual([]);
  for (const message of reported)
    expect(message).toContain("wiki needs the GID of group root, a whole number from 1 to");
});

const UNFIT = `stack ${STACK} has no platform that this program can use:`;
const READS = "gatehouse in this program reads version 1.";
const WROTE = `It was written with schema version 1; ${READS}`;
const OLDER =
  "That stack is older than this program: update gatehouse there to the release used here, and run `pulumi up` there.";
const LOOK = `Check it with \`pulumi stack output platform --stack ${STACK}\`, correct or update the program of that stack, and run \`pulumi up\` there.`;

describe("one message, with the stack, the path, both versions and the remedy:", () => {
  test("a missing stack", async () => {
    expect(await refusal({ stacks: {} })).toBe(
      `the output platform of stack ${STACK} cannot be read: unknown stack "${STACK}". The name must be ` +
        "ORGANIZATION/PROJECT/STACK (with the word organization on a self-managed backend), and the state must be in the " +
        "backend of this program: `pulumi stack ls --all` lists its stacks.",
    );
  });

  test.each([
    ["others", { url: "x", count: 1 }, "count, url"],
    ["none at all", {}, "none"],
  ])("a stack without the output, which has %s", async (_, outputs, names) => {
    expect(await refusal({ stacks: { [STACK]: outputs } })).toBe(
      `${UNFIT}\n  platform: is missing; its outputs are: ${names}\nIt was written with no schema version; ${READS}\n` +
        "If it is a stack of gatehouse, run `pulumi up` there until it succeeds; otherwise use another stack.",
    );
  });

  test("a newer version: this program must be updated, and no other key is checked", async () => {
    const newer = { ...(changed("groups.postgres", 12) as object), schemaVersion: 2 };
    expect(await refusal({ platform: newer })).toBe(
      `${UNFIT}\n  platform.schemaVersion: expected 1, got 2\nIt was written with schema version 2; ${READS}\n` +
        "Update gatehouse in this program to one that reads version 2.",
    );
  });

  test("an older version: that stack must be updated", async () => {
    expect(await refusal({ platform: changed("schemaVersion", 0) })).toBe(
      `${UNFIT}\n  platform.schemaVersion: expected 1, got 0\nIt was written with schema version 0; ${READS}\n` +
        `Update gatehouse in the program of that stack to one that writes version 1, and run \`pulumi up\` there.`,
    );
  });

  test.each([
    ["a missing key", "postgres.hbaDirectory", undefined, "is missing", OLDER],
    ["a missing part", "groups", undefined, "is missing", OLDER],
    ["a wrong type", "postgres.port", "5432", 'expected a port from 1 to 65535, got "5432"', LOOK],
    ["an invalid part", "caddy", [], "expected keys and values, got []", LOOK],
    ["an invalid path", "caddy.siteDirectory", "sites", 'expected an absolute path without blanks, got "sites"', LOOK],
    ["an unknown mode of TLS", "caddy.tls", "off", 'expected acme or internal, got "off"', LOOK],
    ["database 0", "valkey.databases.wiki", 0, "expected a number of at least 1, got 0", LOOK],
    ["an account that is root", "authentik.uid", 0, "expected a UID from 1 to 65533, got 0", LOOK],
  ])("%s", async (_, path, value, reported, remedy) => {
    expect(await refusal({ platform: changed(path, value) })).toBe(
      `${UNFIT}\n  platform.${path}: ${reported}\n${WROTE}\n${remedy}`,
    );
  });

  test.each([0, -1, 65534, 65535, 4294967295, 1.5])("GID %s, which is invalid", async (gid) => {
    expect(await refusal({ platform: changed("groups.postgres.gid", gid) })).toBe(
      `${UNFIT}\n  platform.groups.postgres.gid: expected a GID from 1 to 65533, got ${gid}\n${WROTE}\n` +
        "Check the group on the host with `getent group postgres-clients`, correct it there, and run `pulumi up` in the " +
        "program of that stack.",
    );
  });

  test.each([1, 65533])("but GID %i is valid, the smallest and the largest", async (gid) => {
    const { platform } = await consume({ platform: changed("groups.postgres.gid", gid) });
    expect(await resolved(platform.groups.postgres.gid)).toBe(gid);
  });

  test("several faults, each on its line", async () => {
    const { valkey: _, ...rest } = changed("host.port", 0) as Record<string, unknown>;
    const lines = (await refusal({ platform: rest })).split("\n");
    expect(lines.slice(1, 3)).toEqual([
      "  platform.host.port: expected a port from 1 to 65535, got 0",
      "  platform.valkey: is missing",
    ]);
  });

  test.each([
    ["no version", changed("schemaVersion", undefined), "platform.schemaVersion: is missing", "no schema version"],
    ["a version that is text", changed("schemaVersion", "1"), 'expected 1, got "1"', 'schema version "1"'],
    ["a string", "prod", 'platform: expected keys and values, got "prod"', "no schema version"],
    ["null", null, "platform: expected keys and values, got null", "no schema version"],
  ])("an output that has or is %s", async (_, platform, reported, version) => {
    const message = await refusal({ platform });
    expect(message).toContain(reported);
    expect(message).toContain(`\nIt was written with ${version}; ${READS}\n`);
  });

  test("an output that is secret, without its content", async () => {
    const message = await refusal({ stacks: { [STACK]: { platform: pulumi.secret({ password: "hunter2" }) } } });
    expect(message).toBe(
      `${UNFIT}\n  platform: is secret\nIts schema version is hidden with it; ${READS}\n` +
        `Remove the secret from that output in the program of ${STACK} and run \`pulumi up\` there: the contract has none.`,
    );
  });
});
