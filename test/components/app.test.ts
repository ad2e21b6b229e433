import * as pulumi from "@pulumi/pulumi";
import { beforeAll, describe, expect, test } from "vitest";
import { App } from "../../components/app/app.ts";
import type { AppArgs } from "../../components/app/args.ts";
import { debian } from "../../components/distribution/debian.ts";
import { Account } from "../../components/host/account.ts";
import { Host } from "../../components/host/host.ts";
import { Postgres } from "../../components/postgres/postgres.ts";
import { postgresSchema } from "../../components/postgres/schema.ts";
import { readManifest } from "../../plan/read/documents.ts";
import { HOST_KEY, type Run, record, Secret, type Settings } from "./program.ts";
import { rejectionsOf } from "./rejections.ts";

const IMAGE = "docker.io/library/web:1";
const JOB = { nightly: { image: IMAGE, schedule: "daily" } };
const CLIENTS = { groupName: "postgres-clients", gid: 987 };
const ANSWERS = {
  "account-wiki": { uid: 975, gid: 974 },
  "account-wiki-valkey": { uid: 973, gid: 972 },
};

/** A stack of its own with one app. */
const deploy = (args: Partial<AppArgs>, settings: Partial<Settings> = {}): Promise<Run> =>
  record({ config: {}, answers: ANSWERS, ...settings }, () => {
    new App("wiki", { host: newHost(), containers: { web: { image: IMAGE, port: 8080 } }, ...args });
  });

const newHost = () => {
  const connection = { address: "192.0.2.10", port: 22, user: "root", sudo: false, hostKey: HOST_KEY };
  return new Host("host", { connection, platform: debian, gids: {} });
};

const FULL: Partial<AppArgs> = {
  containers: { web: { image: IMAGE, port: 8080, secrets: { key: pulumi.secret("the key of the tests") } } },
  postgres: { clients: CLIENTS },
  valkey: {},
  site: { domain: "wiki.example.org", port: 8080 },
};

const document = (run: Run, name: string) => String(run.named(name).inputs.stdin);
const groups = (run: Run) =>
  [...document(run, "release-app-wiki").matchAll(/--group-add=(\S+)/g)].map(([, gid]) => gid);
/** The packages that apps need belong to the stack, not to an app. */
const PODMAN = "packages-gatehouse-test-host-podman";
const VALKEY = "packages-gatehouse-test-host-valkey";
const commands = (run: Run) =>
  run.resources.filter(({ type }) => type === "command:remote:Command").map(({ name }) => name);

describe("an app declares", () => {
  test("in its smallest form, an account and its release, and the packages that apps run on", async () => {
    expect(commands(await deploy({}))).toEqual(["account-wiki", "host-agent", PODMAN, "release-app-wiki"]);
  });

  test("without a container, no package, because nothing runs; its files belong to its account", async () => {
    const run = await deploy({ containers: undefined, site: { domain: "wiki.example.org", files: "public" } });
    expect(commands(run)).toEqual(["account-wiki", "host-agent", "release-app-wiki"]);
    expect(document(run, "release-app-wiki")).not.toMatch(/podman|\[\[image|\.network|-network/i);
    expect(document(run, "release-app-wiki")).toContain("\troot * /run/apps/wiki\n");
  });

  test("the same for a job as for any container", async () => {
    const run = await deploy({ containers: { job: { image: IMAGE, schedule: "daily" } } });
    expect(commands(run)).toEqual(commands(await deploy({})));
    expect(document(run, "release-app-wiki")).toContain("\nOnCalendar=daily\n");
  });

  test("with all options, a release for each part, all of its own", async () => {
    const run = await deploy(FULL);
    expect(commands(run)).toEqual([
      "account-wiki",
      "account-wiki-valkey",
      "host-agent",
      PODMAN,
      VALKEY,
      "release-app-wiki",
      "release-app-wiki-postgres",
      "release-app-wiki-secrets",
      "release-app-wiki-valkey",
    ]);
    for (const name of commands(run).filter((name) => name.startsWith("release-")))
      expect(run.named(name).inputs.delete).toBe(
        `gatehouse remove ${name.slice(8)} --owner gatehouse/test/${name.slice(8)}`,
      );
  });

  test("the packages once for several apps, and each kind only if one of them needs it", async () => {
    const containers = { web: { image: IMAGE } };
    const run = await record({ config: {}, answers: ANSWERS }, () => {
      const host = newHost();
      new App("files", { host, site: { domain: "files.example.org", files: "public" } });
      for (const name of ["wiki", "blog"]) new App(name, { host, containers });
    });
    expect(commands(run).filter((name) => name.startsWith("packages-"))).toEqual([PODMAN]);
    expect(document(run, PODMAN)).toMatch(/^manager = "apt"\nnames = \["podman", .*\nunits = \[\]\n/);
    const cache = await deploy({ valkey: {} });
    expect(document(cache, VALKEY)).toMatch(
      /^manager = "apt"\nnames = \["valkey-server", .*\nunits = \["valkey-server.service"\]\n/,
    );
    expect(cache.named(VALKEY).dependsOn).toEqual(["host-agent"]);
  });

  test("accounts without a delete command, so that they are kept", async () => {
    const run = await deploy(FULL);
    for (const name of ["account-wiki", "account-wiki-valkey", PODMAN, VALKEY])
      expect(run.named(name).inputs.delete).toBeUndefined();
  });
});

describe("the account is in exactly the requested groups, and the containers have their GIDs", () => {
  test.each([
    ["none", {}, [], []],
    ["PostgreSQL's, of a job", { postgres: { clients: CLIENTS }, containers: JOB }, ["postgres-clients"], ["987"]],
    ["PostgreSQL's", { postgres: { clients: CLIENTS } }, ["postgres-clients"], ["987"]],
    ["Valkey's", { valkey: {} }, ["wiki-valkey"], ["972"]],
    ["both", FULL, ["postgres-clients", "wiki-valkey"], ["987", "972"]],
  ])("%s", async (_, args, names, gids) => {
    const run = await deploy(args);
    expect(document(run, "account-wiki")).toContain(`groups = [${names.map((name) => `"${name}"`).join(", ")}]`);
    expect(groups(run)).toEqual(gids);
  });

  test("as the host answers them: the source contains no number", async () => {
    const run = await deploy(FULL, { answers: { ...ANSWERS, "account-wiki-valkey": { uid: 1, gid: 4321 } } });
    expect(groups(run)).toEqual(["987", "4321"]);
    expect(document(run, "release-app-wiki")).toContain("\nUser=975\nGroup=974\n");
  });

  test("from another stack, whose group is not created again here", async () => {
    const reported = pulumi.output({ groupName: "postgres-clients", gid: 4000 });
    const run = await deploy({ postgres: { clients: { groupName: reported.groupName, gid: reported.gid } } });
    expect(groups(run)).toEqual(["4000"]);
    expect(document(run, "account-wiki")).toContain('groups = ["postgres-clients"]');
    expect(commands(run)).not.toContain("group-postgres-clients");
  });

  test.each([0, 65534, undefined])(
    "but %s is not a valid GID, and stops the deployment before the app",
    async (gid) => {
      let run: Run | undefined;
      const reported = await rejectionsOf(async () => {
        run = await deploy({ postgres: { clients: { groupName: "postgres-clients", gid: gid as number } } });
      });
      expect(reported.join()).toContain(`wiki needs the GID of group postgres-clients, a whole number from 1 to 65533`);
      expect(run && commands(run)).not.toContain("release-app-wiki");
    },
  );
});

describe("in the program that declares PostgreSQL", () => {
  test("the handle is enough, and its database is created once PostgreSQL is ready", async () => {
    const run = await record({ config: {}, answers: ANSWERS }, () => {
      const host = newHost();
      const postgres = new Postgres("postgres", { host, ...postgresSchema.parse({}) });
      for (const app of ["wiki", "blog"])
        new App(app, { host, postgres, containers: { web: { image: IMAGE } } }, { dependsOn: postgres.ready });
    });
    expect(groups(run)).toEqual(["987"]);
    expect(run.named("release-app-wiki-postgres").dependsOn).toContain("release-postgres");
    expect(run.named("account-wiki").dependsOn).toContain("group-postgres-clients");
    expect(run.named("account-wiki").dependsOn).toContain("release-postgres");
  });
});

test.each([
  ["account-wiki", ["account-wiki-valkey"]],
  ["release-app-wiki-secrets", ["account-wiki"]],
  ["release-app-wiki-postgres", ["account-wiki"]],
  ["release-app-wiki-valkey", ["account-wiki", VALKEY]],
  ["release-app-wiki", [PODMAN, "release-app-wiki-postgres", "release-app-wiki-secrets", "release-app-wiki-valkey"]],
])("%s waits for %j", async (name, others) => {
  expect((await deploy(FULL)).named(name).dependsOn).toEqual(expect.arrayContaining(others));
});

test("its accounts are refused if one of its releases belongs to another stack", async () => {
  expect(document(await deploy({}), "account-wiki")).toContain('\nreleases = ["app-wiki"]\n');
  const run = await deploy(FULL);
  const releases = ["", "-secrets", "-postgres", "-valkey"].map((part) => `"app-wiki${part}"`).join(", ");
  for (const account of ["wiki", "wiki-valkey"]) {
    expect(document(run, `account-${account}`)).toContain(`\nowner = "gatehouse/test/${account}"\n`);
    expect(document(run, `account-${account}`)).toContain(`\nreleases = [${releases}]\n`);
  }
});

test("its dependencies are awaited by its first resource", async () => {
  for (const [args, first] of [
    [{}, "account-wiki"],
    [{ valkey: {} }, "account-wiki-valkey"],
  ] as const) {
    const run = await record({ config: {}, answers: ANSWERS }, () => {
      const host = newHost();
      const before = new Account("before", { host, home: "/var/lib/before" });
      new App("wiki", { host, containers: { web: { image: IMAGE } }, ...args }, { dependsOn: before });
    });
    expect(run.named(first).dependsOn).toContain("account-before");
  }
});

test("text that looks like a placeholder for a secret is not one, and reaches the host unchanged", async () => {
  const text = "{{secrets valkey-gatehouse/password}} {{secrets app-wiki-secrets/web}} <gid of wiki>";
  const web = {
    image: IMAGE,
    files: { "/etc/x.conf": `${text}\n` },
    environment: { TEXT: text },
    secrets: { key: text },
  };
  for (const preview of [false, true]) {
    const run = await deploy({ containers: { web } }, { preview });
    const { files } = readManifest(document(run, "release-app-wiki"));
    expect(files.flatMap(({ secrets }) => secrets)).toEqual([]);
    const holding = files.filter(({ content }) => content.includes(text)).map(({ path }) => path);
    expect(holding).toEqual(["/etc/apps/wiki/web.env", "/etc/apps/wiki/web/etc/x.conf"]);
  }
});

describe("in a first preview", () => {
  let run: Run;
  beforeAll(async () => {
    run = await deploy(FULL, { preview: true });
  });

  test("values that the host has not answered yet are placeholders", () => {
    const text = document(run, "release-app-wiki");
    for (const line of [
      "User=<uid of wiki>",
      "Group=<gid of wiki>",
      "PodmanArgs=--group-add=<gid of wiki-valkey>",
      "Volume=/var/lib/gatehouse/secrets/app-wiki-secrets/<generation of app-wiki-secrets>/web:/run/secrets:ro",
    ])
      expect(text).toContain(`\n${line}\n`);
  });

  test("no manifest is unknown as a whole", () => {
    for (const name of commands(run).filter((name) => name !== "release-app-wiki-secrets"))
      expect([name, typeof run.named(name).inputs.stdin]).toEqual([name, "string"]);
  });
});

test("its certificate has the issuer of the other stack", async () => {
  const site = { domain: "wiki.example.org", port: 8080, tls: pulumi.output<"internal">("internal") };
  expect(document(await deploy({ site }), "release-app-wiki")).toContain("\ttls internal\n");
});

test("a secret is only in its own release, which is secret as a whole", async () => {
  const run = await deploy(FULL);
  const secrets = run.named("release-app-wiki-secrets");
  expect(secrets.inputs.stdin).toBeInstanceOf(Secret);
  expect((secrets.inputs.stdin as Secret).value).toContain("the key of the tests");
  const others = run.resources.filter(({ name }) => name !== "release-app-wiki-secrets");
  expect(JSON.stringify(others)).not.toContain("the key of the tests");
  expect(document(run, "release-app-wiki")).toContain("/app-wiki-secrets/3/web:/run/secrets:ro");
});

test("a secret without a value, such as that of a missing key, is named; its release is not sent", async () => {
  const secrets = { key: "the key", other: pulumi.output(undefined) };
  const containers = { web: { image: IMAGE, secrets: secrets as never } };
  let sent: string[] = [];
  const reported = await rejectionsOf(async () => {
    sent = commands(await deploy({ containers }));
  });
  expect(reported.join()).toContain(
    "App wiki: containers.web.secrets.other: expected text, got an Output without a value",
  );
  expect(sent).not.toContain("release-app-wiki-secrets");
});

test("invalid arguments are reported before any resource is declared", async () => {
  let declared: string[] = [];
  const reported = await rejectionsOf(async () => {
    const run = await record({ config: {} }, async () => {
      const host = newHost();
      expect(() => new App("root", { host, containers: {} })).toThrow(
        /^App root is invalid; nothing was changed:\n {2}name: root is an account.*\n {2}containers: an app/,
      );
    });
    declared = run.resources.map(({ type }) => type);
  });
  expect(reported).toEqual([]);
  expect(declared).not.toContain("gatehouse:index:App");
});
