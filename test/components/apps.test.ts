// Apps in the configuration: the same as apps of a program, with the same access to the platform.
import { createRequire } from "node:module";
import { beforeAll, describe, expect, test } from "vitest";
import { blocksOf } from "../documents/blocks.ts";
import { changed, faults, SMALL, type Table } from "../unit/configuration.ts";
import { type Run, runProgram, type Secret } from "./program.ts";

const { load } = createRequire(import.meta.url)("js-yaml") as { load(text: string): unknown };
const IMAGE = "registry.example.org/wiki:1.4.2";
const WIKI = {
  containers: {
    web: { image: IMAGE, port: 8080, secrets: { "session-key": "generated", smtp: "configured" } },
    worker: { image: IMAGE, secrets: { "session-key": "generated" }, secretEnvironment: { SMTP: "configured" } },
  },
  postgres: {},
  site: { domain: "wiki.example.org", port: 8080 },
};
const stack = (wiki: Table = WIKI): Table => ({ ...SMALL, caddy: { tls: "internal" }, apps: { wiki } });
const VALUES = { smtp: "the password for the mail", SMTP: "the same as a variable" };
const secrets = { appSecrets: JSON.stringify({ wiki: VALUES }) };
const GIDS = { "group-postgres-clients": { gid: 987 } };

describe("an app in the configuration", () => {
  let run: Run;
  beforeAll(async () => {
    run = await runProgram({ config: stack(), secrets, answers: GIDS });
  });
  const document = (name: string) => String(run.named(name).inputs.stdin);

  test("has the releases of an app in a program, below the platform", () => {
    const names = run.resources.filter(({ type }) => type === "command:remote:Command").map(({ name }) => name);
    expect(names).toEqual(
      expect.arrayContaining([
        "account-wiki",
        "release-app-wiki",
        "release-app-wiki-postgres",
        "release-app-wiki-secrets",
      ]),
    );
    expect(run.resources.find(({ type }) => type === "gatehouse:index:App")?.parent).toBe("gatehouse");
  });

  test("uses PostgreSQL of the platform, and its certificates", () => {
    expect(document("release-app-wiki")).toContain("--group-add=987");
    expect(document("release-app-wiki")).toContain("tls internal");
  });

  test("waits for Caddy if it has a site, and for nothing otherwise", async () => {
    const waits = ({ named }: Run) => named("account-wiki").dependsOn.includes("release-caddy");
    expect(waits(run)).toBe(true);
    expect(waits(await runProgram({ config: stack({ containers: { web: { image: IMAGE } } }) }))).toBe(false);
  });

  test("has its secrets as files: generated ones are the same in each container", () => {
    const { value } = run.named("release-app-wiki-secrets").inputs.stdin as Secret;
    expect(String(value)).toContain("the password for the mail");
    const passwords = run.resources.filter(({ name }) => name.includes("wiki-session-key"));
    expect(passwords.map(({ type }) => type)).toEqual(["random:index/randomPassword:RandomPassword"]);
    const contents = [...String(value).matchAll(/password-of-gatehouse-wiki-session-key/g)];
    expect(contents).toHaveLength(2);
  });

  test("has a secret variable by the name of Podman's secret", () => {
    const { value } = run.named("release-app-wiki-secrets").inputs.stdin as Secret;
    expect(value).toContain("the same as a variable");
    expect(document("release-app-wiki")).toContain("Secret=app-wiki.worker.SMTP,type=env,target=SMTP");
    expect(document("release-app-wiki")).toContain("podman secret create --replace app-wiki.worker.SMTP /var/lib/");
  });

  test("has its configured secret in no other command", () => {
    const others = run.resources.filter(({ name }) => name !== "release-app-wiki-secrets");
    expect(JSON.stringify(others)).not.toContain("the password for the mail");
  });
});

test("the example of the guide is accepted, with a database and a generated secret", async () => {
  const [example] = blocksOf("docs/service-integration-guide.md").filter(({ kind }) => kind === "yaml");
  const { config } = load(example?.text ?? "") as { config: Table };
  const { named } = await runProgram({ config: { ...SMALL, apps: config["gatehouse:apps"] } });
  expect(String(named("release-app-grafana").inputs.stdin)).toContain("/api/health");
  expect(named("release-app-grafana-postgres").inputs.stdin).toBeDefined();
  const { value } = named("release-app-grafana-secrets").inputs.stdin as Secret;
  expect(value).toContain("password-of-gatehouse-grafana-admin");
});

describe("the configuration is refused", () => {
  const refused = (changes: Table, appSecrets: unknown = { wiki: VALUES }) =>
    faults(changed({ ...stack(), appSecrets }, changes), ["appSecrets"]);

  test("not if it is valid", async () => {
    expect(await refused({})).toEqual([]);
  });

  test("with every fault of every app, by its path", async () => {
    expect(
      await refused({
        "apps.wiki.containers.web.image": "wiki:latest",
        "apps.wiki.containers.worker.secrets.smtp": "generated",
        "apps.root": { containers: { web: { image: IMAGE } } },
        "apps.notes": {
          containers: { web: { image: IMAGE, port: 8080 } },
          site: { domain: "wiki.example.org", port: 1 },
        },
      }),
    ).toEqual([
      expect.stringContaining("apps.wiki.containers.web.image: expected an image with its registry"),
      "apps.wiki.containers.web.image: wiki:latest is a moving tag: use a version or a digest",
      "apps.wiki.containers.worker.secrets.smtp: is configured in the container web",
      "apps.root: root is an account of the system or the platform; choose another name",
      "apps.notes.site.port: no container publishes 1; published are 8080",
      "apps.notes.site.domain: wiki.example.org is already apps.wiki.site.domain",
      "apps.notes.containers.web.port: 8080 is already apps.wiki.containers.web.port",
    ]);
  });

  test.each([
    [
      "a domain of authentik",
      { "apps.wiki.site.domain": "auth.example.org" },
      "apps.wiki.site.domain: auth.example.org is already authentik.domain",
    ],
    [
      "a port of another app",
      { "apps.notes": { containers: { web: { image: IMAGE, port: 3000, publish: 8080 } } } },
      "apps.notes.containers.web.publish: 8080 is already apps.wiki.containers.web.port",
    ],
    [
      "a port of another app at all addresses",
      { "apps.notes": { containers: { web: { image: IMAGE, ports: [{ port: 53, publish: 8080, address: "*" }] } } } },
      "apps.notes.containers.web.ports.0: *:8080/tcp is already apps.wiki.containers.web.port",
    ],
    [
      "a port of Caddy's",
      { "apps.notes": { containers: { web: { image: IMAGE, ports: [{ port: 443, address: "192.0.2.10" }] } } } },
      "apps.notes.containers.web.ports.0: 192.0.2.10:443/tcp is already used by Caddy",
    ],
    [
      "authentik's port",
      { "apps.notes": { containers: { web: { image: IMAGE, port: 9000 } } } },
      "apps.notes.containers.web.port: 9000 is already authentik.port",
    ],
    [
      "a domain of another site",
      { "caddy.sites.wiki": { domain: "wiki.example.org", backend: "127.0.0.1:9" } },
      "apps.wiki.site.domain: wiki.example.org is already caddy.sites.wiki.domain",
    ],
    [
      "its own database",
      { "postgres.databases.wiki": {} },
      "postgres.databases.wiki: is created by the app wiki; remove it",
    ],
  ])("with %s", async (_, changes, fault) => {
    expect(await refused(changes)).toEqual([fault]);
  });

  test("if a configured secret has no value, with the command that sets it", async () => {
    expect(await refused({}, {})).toEqual([
      `appSecrets.wiki.smtp: the app wiki has no value for this secret: pulumi config set --secret --path 'gatehouse:appSecrets["wiki"]["smtp"]'`,
      `appSecrets.wiki.SMTP: the app wiki has no value for this secret: pulumi config set --secret --path 'gatehouse:appSecrets["wiki"]["SMTP"]'`,
    ]);
  });

  test("if no app uses a value, with the command that removes it", async () => {
    expect(await refused({}, { wiki: { ...VALUES, old: "y" } })).toEqual([
      `appSecrets.wiki.old: no container has a configured secret of this name: pulumi config rm --path 'gatehouse:appSecrets["wiki"]["old"]'`,
    ]);
  });

  test("if a value is no text, or is not encrypted, without the value", async () => {
    expect(await refused({}, { wiki: { ...VALUES, smtp: 4711 } })).toEqual(["appSecrets.wiki.smtp: expected text"]);
    expect(await faults({ ...stack(), appSecrets: { wiki: VALUES } })).toEqual([
      "appSecrets: must be encrypted: pulumi config set --secret --path gatehouse:appSecrets.wiki.smtp-password",
    ]);
  });
});
