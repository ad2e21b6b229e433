import { expect, test } from "vitest";
import { agentOnly, hostKeys, imageDigests, loopbackOnly, plainSecrets, type Resource } from "../../policy/rules.ts";
import { sealed, toml } from "../../protocol/document.ts";
import { HOST_KEY, runProgram, Secret, SMALL, SSH_KEY, UNKNOWN } from "../components/program.ts";
import { CASES, SECRETS } from "../render/cases.ts";

const DIGEST = `sha256:${"5".repeat(64)}`;

/** A command below components of these types, outermost first. */
const command = (parents: string[], props: Record<string, unknown>, type = "command:remote:Command"): Resource => ({
  urn: `urn:pulumi:test::gatehouse::${[...parents.map((parent) => `gatehouse:index:${parent}`), type].join("$")}::it`,
  type,
  props,
});
const release = (manifest: Parameters<typeof toml>[0]) =>
  command(["Caddy", "Release"], { create: "gatehouse release caddy --due 0", stdin: sealed(toml(manifest)) });
const file = (path: string, ...lines: string[]) => release({ file: [{ path, content: `${lines.join("\n")}\n` }] });

const POD = "/etc/containers/systemd/authentik.pod";
const CONTAINER = "/etc/containers/systemd/authentik-server.container";
const POSTGRES = "/etc/postgresql/17/main/conf.d/gatehouse-restart.conf";
const VALKEY = "/etc/valkey/valkey.conf";

test.each<[string, Resource, RegExp]>([
  ["a command at the top", command([], { create: "gatehouse group x" }), /below the stack bypasses the agent/],
  ["a command of a service", command(["Caddy"], { create: "gatehouse group x" }), /Caddy bypasses the agent/],
  ["a copied file", command(["Release"], {}, "command:remote:CopyToRemote"), /CopyToRemote below .*bypasses the agent/],
  ["another program", command(["Release"], { create: "rm -rf /" }), /create is "rm -rf \/".*askFor/],
  ["the command of another component", command(["Group"], { create: "gatehouse release x" }), /create is .*must match/],
  ["the installation with another command", command(["Host"], { create: "sh -s -- a; reboot" }), /create is /],
  ["an update", command(["Group"], { create: "gatehouse group x", update: "true" }), /update is set/],
  ["a delete", command(["Release"], { create: "gatehouse release x", delete: "rm -r /etc" }), /delete is "rm -r/],
])("only the agent: refuses %s", (_what, resource, why) => {
  expect(agentOnly(resource)).toEqual([expect.stringMatching(why)]);
});

test.each<[string, Resource]>([
  ["the installation", command(["Host"], { create: "sh -s -- never-asked" })],
  ["the end of the installation", command(["Host"], { create: "sh -s -- a", delete: "gatehouse leave shop/prod" })],
  ["the installation with sudo", command(["Host"], { create: "sudo -n sh -s -- 1f0c" })],
  ["a release", command(["Caddy", "Release"], { create: "gatehouse release x --due 0", delete: "gatehouse remove x" })],
  ["other resources", command(["Postgres"], {}, "random:index/randomPassword:RandomPassword")],
])("only the agent: accepts %s", (_what, resource) => {
  expect(agentOnly(resource)).toEqual([]);
});

test("host keys: refuses a connection or a proxy without one, and accepts both with one", () => {
  const reported = (connection: object | undefined) => hostKeys(command(["Host"], { connection }));
  expect(reported(undefined)).toEqual([expect.stringMatching(/^connection\.hostKey is not set/)]);
  expect(reported({ hostKey: "" })).toEqual([expect.stringMatching(/^connection\.hostKey is not set/)]);
  expect(reported({ hostKey: HOST_KEY, proxy: {} })).toEqual([
    expect.stringMatching(/^connection\.proxy\.hostKey is not/),
  ]);
  expect(reported({ hostKey: HOST_KEY })).toEqual([]);
  expect(reported({ hostKey: HOST_KEY, proxy: { hostKey: HOST_KEY } })).toEqual([]);
});

test.each<[string, unknown]>([
  ["gatehouse:authentik", { environment: { AUTHENTIK_EMAIL__PASSWORD: "hunter2" } }],
  ["gatehouse:apiToken", "short"],
  ["gatehouse:caddy", { sites: { wiki: { directives: SSH_KEY } } }],
  ["gatehouse:caddy", { email: "q7Xv2LmP9sKdR4tYbN8wZc3H" }],
])("plain secrets: refuses %s: %j", (key, value) => {
  expect(plainSecrets({ [key]: value }, ["gatehouse:sshKey"])).toEqual([expect.stringMatching(/config set --secret/)]);
});

test.each<[string, unknown]>([
  ["gatehouse:sshKey", SSH_KEY],
  ["gatehouse:authentik", { environment: { AUTHENTIK_EMAIL__PASSWORD: "file:///run/secrets/mail" } }],
  ["gatehouse:authentik", { digest: DIGEST, environment: { AUTHENTIK_EMAIL__USE_TLS: true } }],
  ["gatehouse:host", { hostKey: HOST_KEY }],
  ["gatehouse:apps", { wiki: { containers: { web: { secrets: { "smtp-password": "configured" } } } } }],
  ["gatehouse:postgres", { settings: { password_encryption: "scram-sha-256" } }],
])("plain secrets: accepts %s: %j", (key, value) => {
  expect(plainSecrets({ [key]: value }, ["gatehouse:sshKey"])).toEqual([]);
});

test("plain secrets: reports the path, and not the value", () => {
  const [reported] = plainSecrets({ "gatehouse:a": { password: "hunter2" } }, []);
  expect(reported).toMatch(/^gatehouse:a\.password /);
  expect(reported).not.toContain("hunter2");
});

test("image digests: refuses a tag and a truncated digest, and accepts a digest", () => {
  const reported = (reference: string) => imageDigests(release({ image: [{ reference }] }));
  expect(reported("ghcr.io/goauthentik/server:2026.8.3")).toEqual([
    expect.stringMatching(/has no digest.*skopeo inspect/),
  ]);
  expect(reported("ghcr.io/goauthentik/server@sha256:5555")).toEqual([expect.stringMatching(/has no digest/)]);
  expect(reported(`ghcr.io/goauthentik/server:2026.8.3@${DIGEST}`)).toEqual([]);
});

test.each<[string, ...string[]]>([
  [POD, "PublishPort=9000:9000"],
  [POD, "PublishPort=0.0.0.0:9000:9000"],
  [POD, "PublishPort=[::]:9000:9000"],
  [POD, "PublishPort=127.0.0.1:1:1", "PublishPort=192.0.2.10:2:2"],
  [POD, "PodmanArgs=--publish=9000:9000"],
  [POD, "PodmanArgs=-p 9000:9000"],
  [POD, "PodmanArgs=-p9000:9000"],
  [CONTAINER, "Network=host"],
  [CONTAINER, "PodmanArgs=--network=host"],
  [POSTGRES, "listen_addresses = '*'"],
  [POSTGRES, "listen_addresses = 'localhost, 192.0.2.10'"],
  [VALKEY, "bind 0.0.0.0"],
  [VALKEY, "bind 127.0.0.1 -::*"],
  [VALKEY, "port 6379"],
])("loopback only: refuses %s with %s", (path, ...lines) => {
  expect(loopbackOnly(file(path, ...lines))).toEqual([expect.stringMatching(/^\/etc.*add a site of Caddy/)]);
});

test.each<[string, ...string[]]>([
  [POD, "PublishPort=127.0.0.1:9000:9000", "PublishPort=[::1]:9000:9000"],
  [POD, "PodmanArgs=--share=net,uts --pids-limit=100"],
  [CONTAINER, "PodmanArgs=--group-add=987", "Environment=AUTHENTIK_LISTEN__HTTP=0.0.0.0:9000"],
  [POSTGRES, "listen_addresses = ''", "# listen_addresses = '*'"],
  [POSTGRES, "listen_addresses = '127.0.0.1, ::1'"],
  [VALKEY, "bind 127.0.0.1 -::1"],
  ["/etc/caddy/Caddyfile", "bind 0.0.0.0"],
])("loopback only: accepts %s with %s", (path, ...lines) => {
  expect(loopbackOnly(file(path, ...lines))).toEqual([]);
});

test("loopback only: a port of a container that is allowed, and no other", () => {
  const allowed = ["*:53/udp", "192.0.2.10:389/tcp"];
  const lines = ["PublishPort=0.0.0.0:53:53/udp", "PublishPort=192.0.2.10:389:3389"];
  expect(loopbackOnly(file(CONTAINER, ...lines), allowed)).toEqual([]);
  expect(loopbackOnly(file(CONTAINER, ...lines))).toEqual([
    expect.stringMatching(/or allow it with policy\.ports: \["\*:53\/udp"\]$/),
    expect.stringMatching(/or allow it with policy\.ports: \["192\.0\.2\.10:389\/tcp"\]$/),
  ]);
  for (const line of ["PublishPort=0.0.0.0:53:53", "PublishPort=53:53/udp", "PodmanArgs=--publish=53:53/udp"])
    expect(loopbackOnly(file(CONTAINER, line), allowed)).toHaveLength(1);
});

test.each([false, true])(
  "the whole program passes, with every case of the golden files (preview: %s)",
  async (preview) => {
    for (const [name, config] of Object.entries({ small: SMALL, ...CASES }) as [string, Record<string, unknown>][]) {
      const { resources } = await runProgram({ config, secrets: SECRETS[name], preview });
      const types = new Map(resources.filter(({ custom }) => !custom).map(({ name, type }) => [`${name}`, type]));
      const shown = resources.map(({ type, name, parent, inputs }) => ({
        // Names of components are not unique, so the chain is looked up by the kind of the command.
        urn: `urn:pulumi:test::gatehouse::${[parent ? typeOf(name, parent, types) : "", type].filter(Boolean).join("$")}::${name}`,
        type,
        props: open(inputs) as Record<string, unknown>,
      }));
      expect(shown.filter(({ type }) => type === "command:remote:Command").length).toBeGreaterThan(10);
      expect(shown.flatMap((one) => [agentOnly, hostKeys, loopbackOnly].flatMap((rule) => rule(one)))).toEqual([]);
      expect(plainSecrets(config, [])).toEqual([]);
    }
  },
);

function typeOf(name: string, parent: string, types: Map<string, string>): string | undefined {
  const kind = /^(group|account|packages|release)-/.exec(name)?.[1];
  return kind ? `gatehouse:index:${kind[0]?.toUpperCase()}${kind.slice(1)}` : types.get(parent);
}

/** Values as passed by the policy pack runner: secrets unwrapped, and unknown ones omitted. */
function open(value: unknown): unknown {
  if (value instanceof Secret) return open(value.value);
  if (Array.isArray(value)) return value.map(open);
  if (typeof value !== "object" || value === null) return value === UNKNOWN ? undefined : value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, open(inner)]));
}
