import { beforeAll, expect, test } from "vitest";
import { HOST_KEY, runProgram, Secret, SMALL } from "./program.ts";

let platform: Record<string, unknown>;
let logins: unknown;
let names: string[];

beforeAll(async () => {
  const { outputs } = await runProgram({
    config: {
      ...SMALL,
      valkey: { databases: { grafana: 2 } },
      postgres: { databases: { wiki: {} }, roles: { wiki: { auth: "scram" } } },
    },
  });
  names = Object.keys(outputs);
  platform = outputs.platform as typeof platform;
  logins = outputs.logins;
});

test("a stack exports one object, with a version, and the logins apart from it", () => {
  expect(names.sort()).toEqual(["logins", "platform"]);
  expect(platform.schemaVersion).toBe(1);
});

test("the platform is this, and nothing else: a change here is a change for other stacks (M21)", () => {
  expect(platform).toEqual({
    schemaVersion: 1,
    host: { address: "192.0.2.10", port: 22, hostKey: HOST_KEY, platform: "debian" },
    groups: {
      postgres: { name: "postgres-clients", gid: 987 },
      valkey: { name: "valkey-clients", gid: 986 },
    },
    postgres: {
      socketDirectory: "/run/postgresql",
      port: 5432,
      versions: { postgres: "1.2.3-1" },
    },
    valkey: { socket: "/run/valkey/valkey.sock", databases: { grafana: 2 }, versions: { valkey: "1.2.3-1" } },
    caddy: { siteDirectory: "/etc/caddy/sites", versions: { caddy: "1.2.3-1" } },
    authentik: {
      url: "https://auth.example.org",
      issuer: "https://auth.example.org/application/o/",
      uid: 985,
      gid: 985,
    },
  });
});

test("nothing in it is secret: a StackReference would make all of it secret, GIDs included (H4, M21)", () => {
  const holds = (value: unknown): boolean =>
    value instanceof Secret || (typeof value === "object" && value !== null && Object.values(value).some(holds));
  expect(holds(platform)).toBe(false);
  expect(holds(logins)).toBe(true);
});

test("it holds no private key: a consumer brings its own (H19)", () => {
  expect(JSON.stringify(platform)).not.toMatch(/PRIVATE KEY|privateKey|sshKey/);
  expect(JSON.stringify(platform)).toContain(HOST_KEY);
});
