import { describe, expect, test } from "vitest";
import type { State, Step } from "../../plan/read/steps.ts";
import { releaseWords } from "../../plan/render/words.ts";
import { reportOf } from "../../plan/report/changes.ts";
import type { Report } from "../../plan/report/report.ts";
import type { Difference } from "../../protocol/facts.ts";
import { FULL } from "./configurations.ts";
import { type Change, type Config, difference, drifted, factsOf, previewOfChange } from "./program.ts";

const POSTGRES = "postgresql@17-main.service";
const VALKEY = "valkey-server.service";
const POD = {
  "authentik-pod.service": "restart",
  "authentik-server.service": "restart",
  "authentik-worker.service": "restart",
};

/** Effects on units; unaffected units are omitted. */
const verbs = ({ units }: Report) =>
  Object.fromEntries(units.filter(({ verb }) => verb !== "none").map(({ unit, verb }) => [unit, verb]));
const reasons = (report: Report, unit: string) => report.units.find((one) => one.unit === unit)?.reasons;
const plan = async (to: object, more: Partial<Change> = {}) =>
  reportOf(await previewOfChange({ from: FULL, to: { ...FULL, ...to }, ...more }));

describe("a change of the configuration affects exactly:", () => {
  const { postgres, valkey, authentik, caddy } = FULL;
  const extra = { domain: "extra.example.org", backend: "127.0.0.1:4000" };
  test.each<[string, object, Record<string, string>]>([
    ["nothing", {}, {}],
    ["a new site", { caddy: { ...caddy, sites: { ...caddy.sites, extra } } }, { "caddy.service": "reload" }],
    [
      "a site's line",
      { caddy: { ...caddy, sites: { grafana: { ...caddy.sites.grafana, directives: "" } } } },
      { "caddy.service": "reload" },
    ],
    ["a removed site", { caddy: { tls: "internal" } }, { "caddy.service": "reload" }],
    [
      "a setting that restarts",
      { postgres: { ...postgres, settings: { max_connections: 120 } } },
      { [POSTGRES]: "restart" },
    ],
    ["a setting that reloads", { postgres: { ...postgres, settings: { work_mem: "5MB" } } }, { [POSTGRES]: "reload" }],
    ["a database", { postgres: { ...postgres, databases: { wiki: {}, notes: {} } } }, { [POSTGRES]: "reload" }],
    [
      "a setting of Valkey",
      { valkey: { ...valkey, settings: { maxmemory: "64mb" } } },
      { [VALKEY]: "restart", "valkey-socket-fix.service": "restart" },
    ],
    ["an application of Valkey", { valkey: { databases: { ...valkey.databases, notes: 3 } } }, { [VALKEY]: "reload" }],
    ["a setting of authentik", { authentik: { ...authentik, environment: { AUTHENTIK_LOG_LEVEL: "debug" } } }, POD],
    ["another image", { authentik: { ...authentik, version: "2025.8.5" } }, POD],
    ["a rotated key of authentik", { authentik: { ...authentik, rotation: 2 } }, POD],
    ["rotated passwords of Valkey", { valkey: { ...valkey, rotation: 2 } }, { [VALKEY]: "reload", ...POD }],
  ])("%s", async (_, change, units) => {
    expect(verbs(await plan(change))).toEqual(units);
  });
});

test("a first deployment starts everything", async () => {
  const report = reportOf(await previewOfChange({ to: FULL }));
  expect(new Set(report.units.map(({ verb }) => verb))).toEqual(new Set(["start"]));
  expect(report.units.map(({ unit }) => unit).sort()).toEqual([
    "authentik-network.service",
    "authentik-pod.service",
    "authentik-server.service",
    "authentik-worker.service",
    "caddy.service",
    "gatehouse-container-guard.service",
    POSTGRES,
    VALKEY,
    "valkey-socket-fix.service",
  ]);
  expect(report.summary).toMatch(/; \d\d files, 9 starts, 0 reloads, 0 restarts, 2 new databases, no data touched$/);
});

test("a rotated SSH key resends everything, and changes nothing", async () => {
  const report = await plan({}, { newKey: true });
  expect(verbs(report)).toEqual({});
  expect(report.summary).toMatch(/; 0 files, 0 reloads, 0 restarts, no data touched$/);
  expect(new Set(report.releases.map(({ what }) => what))).toEqual(new Set(["resend"]));
  expect(report.items).toEqual([]);
  expect(report.changes).toBe(true);
});

test("with a rotated SSH key another change is only that change", async () => {
  const { valkey } = FULL;
  const report = await plan({ valkey: { ...valkey, rotation: 2 } }, { newKey: true });
  expect(verbs(report)).toEqual({ [VALKEY]: "reload", ...POD });
});

test("a directory of the host is named with its use, and whether the backup has it", async () => {
  const app = (volume?: object) => ({
    ...FULL,
    apps: {
      wiki: { containers: { web: { image: "docker.io/library/wiki:1.4", volumes: volume ? { "/srv": volume } : {} } } },
    },
  });
  const notes = async (from: Config, to: Config) =>
    reportOf(await previewOfChange({ from, to })).releases.flatMap(({ notes }) =>
      notes.filter((note) => note.includes("/mnt/photos")),
    );
  const shown = { host: "/mnt/photos", readOnly: true };
  expect(await notes(FULL, app(shown))).toEqual(["/mnt/photos of the host is used: read, not in the backup"]);
  expect(await notes(app(shown), app({ host: "/mnt/photos", backup: true }))).toEqual([
    "/mnt/photos of the host: read, not in the backup becomes read and written, in the backup",
  ]);
  expect(await notes(app(shown), app())).toEqual(["/mnt/photos of the host is no longer used; it stays as it is"]);
});

test("what an app opens is named: ports for other machines, capabilities and devices", async () => {
  const app = (web: object) => ({
    ...FULL,
    apps: { wiki: { containers: { web: { image: "docker.io/library/wiki:1.4", port: 8080, publish: 9900, ...web } } } },
  });
  const quadlet = { AddCapability: "NET_RAW", AddDevice: ["/dev/ttyUSB0"] };
  const open = app({ ports: [{ port: 53, protocol: "udp", address: "*" }], quadlet });
  const notes = async (from: Config, to: Config) =>
    reportOf(await previewOfChange({ from, to })).releases.flatMap(({ notes }) =>
      notes.filter((note) => /exposed|opened/.test(note)),
    );
  const added = [
    "exposed: other machines reach *:53/udp",
    "opened: app-wiki.container has the capability NET_RAW",
    "opened: app-wiki.container has the device /dev/ttyUSB0",
  ];
  expect(await notes(FULL, app({}))).toEqual([]);
  expect(await notes(FULL, open)).toEqual(added);
  expect(await notes(app({}), open)).toEqual(added);
  expect(await notes(open, app({}))).toEqual([
    "no longer exposed: *:53/udp",
    "no longer opened: app-wiki.container has the capability NET_RAW",
    "no longer opened: app-wiki.container has the device /dev/ttyUSB0",
  ]);
});

describe("the reason is given:", () => {
  test("the file", async () => {
    const report = await plan({ valkey: { ...FULL.valkey, settings: { maxmemory: "64mb" } } });
    expect(reasons(report, VALKEY)).toEqual(["/etc/valkey/valkey.conf is changed"]);
    expect(reasons(report, "valkey-socket-fix.service")).toEqual([`part of ${VALKEY}`]);
  });

  test("the image, and that the database is saved first", async () => {
    const report = await plan({ authentik: { ...FULL.authentik, version: "2025.8.5" } });
    expect(reasons(report, "authentik-pod.service")).toContain(
      "image: ghcr.io/goauthentik/server:2025.8.4 becomes ghcr.io/goauthentik/server:2025.8.5",
    );
    expect(reasons(report, "authentik-worker.service")).toEqual(["a container of authentik-pod.service"]);
    expect(report.data).toEqual(["database authentik is saved first, since the new image may alter it"]);
    expect(report.summary).toMatch(/, data touched$/);
  });

  test("the file that Valkey reads its keys from, in both directions, and that they are written to it first", async () => {
    const appending = { ...FULL, valkey: { ...FULL.valkey, settings: { appendonly: "yes" } } };
    const there = reportOf(await previewOfChange({ from: FULL, to: appending }));
    expect(there.data).toEqual([
      `Valkey's keys are written to the append-only file first, which ${VALKEY} reads from then on`,
    ]);
    expect(there.summary).toMatch(/, data touched$/);
    const back = reportOf(await previewOfChange({ from: appending, to: FULL }));
    expect(back.data).toEqual([`Valkey's keys are written to the snapshot first, which ${VALKEY} reads from then on`]);
  });

  test.each([
    [false, "2025.8.4", "2025.8.3", "is older than", ": refused, unless authentik.allowDowngrade is set"],
    [true, "2025.8.4", "2025.8.3", "is older than", ": its data may be unusable"],
    [false, "2026.5.1", "2026.2.3", "is older than", ": refused, unless authentik.allowDowngrade is set"],
    [true, "2026.5.1", "2026.2.3", "is older than", ": its data may be unusable"],
    [true, "2026.8.3", "2026.2.3", "is more than one series before", ": refused"],
    [true, "2026.2.3", "2026.8.3", "is more than one series after", ": refused"],
  ])("allowDowngrade is %s, and %s is replaced by %s", async (allowDowngrade, was, is, what, then) => {
    const of = (version: string) => ({ ...FULL, authentik: { ...FULL.authentik, version, allowDowngrade } });
    const report = reportOf(await previewOfChange({ from: of(was), to: of(is) }));
    const [next, before] = [is, was].map((version) => `ghcr.io/goauthentik/server:${version}`);
    expect(report.data).toEqual([
      "database authentik is saved first, since the new image may alter it",
      `${next} ${what} ${before}${then}`,
    ]);
  });

  test("nothing about the image of the next series", async () => {
    const of = (version: string) => ({ ...FULL, authentik: { ...FULL.authentik, version } });
    const report = reportOf(await previewOfChange({ from: of("2026.5.1"), to: of("2026.8.3") }));
    expect(report.data).toEqual(["database authentik is saved first, since the new image may alter it"]);
  });

  test("the database that gets a new owner, with its complete contents", async () => {
    const report = await plan({ postgres: { ...FULL.postgres, databases: { wiki: { owner: "librarian" } } } });
    expect(report.data).toEqual(["database wiki gets the new owner librarian, with everything that wiki owns in it"]);
    expect(report.databases).toEqual([{ kind: "role", name: "librarian", what: "created" }]);
    expect(report.summary).toMatch(/, data touched$/);
  });

  test("the secret that is merged into a file", async () => {
    const report = await plan({ valkey: { ...FULL.valkey, rotation: 2 } });
    expect(reasons(report, VALKEY)).toEqual(
      ["valkey-gatehouse", "valkey-authentik", "valkey-grafana"].map(
        (secret) => `/etc/valkey/users.acl gets the new version of secret ${secret}, and loses the old one later`,
      ),
    );
  });
});

describe("data with a new location", () => {
  /** The manifest that the program created before authentik's uploads moved. */
  const earlier = (document = "") =>
    document
      .replace(/\[\[directory\]\]\npath = "\/var\/lib\/authentik\/data"\n[^[]*/, "")
      .replace('path = "/var/lib/authentik/data/media"', 'path = "/var/lib/authentik/media"')
      .replace(/^formerly = .*\n/m, "");
  const seen = async (back: boolean) => {
    const preview = await previewOfChange({ from: FULL, to: FULL });
    const steps = preview.steps.map((step): Step => {
      if (step.name !== "release-authentik" || !step.old || !step.new) return step;
      const [was, is] = [{ ...step.old, document: earlier(step.old.document) }, step.new];
      const of = { ...step, op: "update", differs: ["stdin"] } as const;
      return back
        ? { ...of, old: { ...was, document: is.document }, new: { ...is, document: was.document } }
        : { ...of, old: was };
    });
    return reportOf({ ...preview, steps, touched: 1 });
  };

  test.each([
    [false, "the contents of /var/lib/authentik/media move to /var/lib/authentik/data/media"],
    [true, "the contents of /var/lib/authentik/data/media move to /var/lib/authentik/media"],
  ])("restarts the units that write it, and is listed (back: %s)", async (back, reported) => {
    const report = await seen(back);
    expect(verbs(report)).toEqual({ ...POD, "authentik-network.service": "restart" });
    expect(reasons(report, "authentik-worker.service")).toContain(reported);
    expect(report.data).toEqual([reported]);
    expect(report.summary).toMatch(/, data touched$/);
  });

  test("is not listed if the data is already there", async () => {
    expect((await plan({})).data).toEqual([]);
  });
});

describe("a difference on the host", () => {
  const MACHINE = "0123456789ab";
  const repair = async (found: Record<string, Difference[]>) =>
    reportOf(drifted(await previewOfChange({ from: FULL, to: FULL }), found));

  test.each<[string, string, Difference, Record<string, string>]>([
    [
      "a file",
      "release-caddy",
      difference("file", "/etc/caddy/Caddyfile", "content", "/etc/caddy/Caddyfile: the content was changed by hand"),
      { "caddy.service": "reload" },
    ],
    [
      "a missing file",
      "release-valkey",
      difference("file", "/etc/valkey/valkey.conf", "missing", "/etc/valkey/valkey.conf is missing"),
      { [VALKEY]: "restart", "valkey-socket-fix.service": "restart" },
    ],
    [
      "a stopped unit",
      "release-caddy",
      difference("unit", "caddy.service", "inactive", "caddy.service is not active"),
      { "caddy.service": "start" },
    ],
    [
      "a reload that never ends",
      "release-caddy",
      difference("unit", "caddy.service", "reloading", "the reload of caddy.service does not finish"),
      { "caddy.service": "restart" },
    ],
    [
      "a directory",
      "release-caddy",
      difference("directory", "/etc/caddy/sites", "access", "/etc/caddy/sites: mode or owner was changed by hand"),
      {},
    ],
    [
      "a unit that is not enabled",
      "release-caddy",
      difference("unit", "caddy.service", "disabled", "caddy.service is not enabled"),
      {},
    ],
    [
      "a missing account",
      "account-authentik",
      difference("account", "authentik", "missing", "account authentik is gone, it was uid=985"),
      POD,
    ],
    [
      "secrets whose generation consumers refer to",
      "release-authentik-secrets",
      difference(
        "file",
        "/var/lib/gatehouse/secrets/authentik-secrets/3/secret_key",
        "missing",
        "/var/lib/gatehouse/secrets/authentik-secrets/3/secret_key is missing",
      ),
      POD,
    ],
    [
      "an unmanaged drop-in",
      "release-caddy",
      difference(
        "drop-in",
        "/etc/systemd/system/caddy.service.d/override.conf",
        "unmanaged",
        "override.conf belongs to no release",
      ),
      { "caddy.service": "restart" },
    ],
    [
      "an unmanaged drop-in of an instance",
      "release-postgres",
      difference(
        "drop-in",
        "/etc/systemd/system/postgresql@17-main.service.d/override.conf",
        "unmanaged",
        "override.conf belongs to no release",
      ),
      { [POSTGRES]: "restart" },
    ],
    [
      "an unmanaged drop-in of a Quadlet",
      "release-authentik",
      difference(
        "drop-in",
        "/etc/containers/systemd/authentik.pod.d/10.conf",
        "unmanaged",
        "10.conf belongs to no release",
      ),
      POD,
    ],
    [
      "a runtime directory",
      "release-postgres",
      difference(
        "runtime",
        "/run/postgresql",
        "access",
        "/run/postgresql is 0777 115:987, the manifest says 2770 postgres:postgres-clients",
      ),
      { [POSTGRES]: "restart" },
    ],
    [
      "another GID of a group",
      "group-valkey-clients",
      difference("group", "valkey-clients", "changed", "group valkey-clients is gid=1986, it was gid=986", {
        now: { gid: 1986 },
      }),
      POD,
    ],
    [
      "a missing group",
      "group-valkey-clients",
      difference("group", "valkey-clients", "missing", "group valkey-clients is missing; it had gid=986"),
      POD,
    ],
    [
      "another UID of an account",
      "account-authentik",
      difference(
        "account",
        "authentik",
        "changed",
        "account authentik is gid=985 groups=[] uid=1985, it was gid=985 groups=[] uid=985",
        { now: { gid: 985, uid: 1985 } },
      ),
      POD,
    ],
    [
      "a difference that only the host can judge, in the worst case",
      "release-caddy",
      difference("generation", "caddy", "rolled-back", "release caddy was rolled back by hand to generation 2"),
      { "caddy.service": "restart" },
    ],
  ])("%s is repaired, with its effects", async (what, item, found, units) => {
    const report = await repair({ [item]: [found] });
    expect(verbs(report)).toEqual(units);
    expect(report.totals.repairs).toBe(1);
    expect(report.units.some(({ reasons }) => reasons.some((reason) => reason.startsWith("worst case: ")))).toBe(
      what.endsWith("in the worst case"),
    );
    expect(JSON.stringify([report.releases, report.items])).toContain(found.message);
    const reworded = await repair({ [item]: [{ ...found, message: "x" }] });
    expect([verbs(reworded), reworded.totals], "no message decides").toEqual([units, report.totals]);
  });

  test("with a diff is shown with it, and the number that the host answers is filled in", async () => {
    const diff = "--- a\tlast applied\n+++ a\ton the host\n@@ -1 +1 @@\n-one\n+two";
    const edited = difference("file", "/etc/caddy/Caddyfile", "content", "/etc/caddy/Caddyfile: edited", { diff });
    const drift = {
      "release-caddy": [edited],
      "group-valkey-clients": [
        difference("group", "valkey-clients", "changed", "group valkey-clients is gid=1986, it was gid=986", {
          now: { gid: 1986 },
        }),
      ],
    };
    const report = await repair(drift);
    expect(report.releases.find(({ name }) => name === "caddy")?.drift).toEqual([edited]);
    expect(JSON.stringify(report.releases)).toContain("-PodmanArgs=--group-add=986\\n+PodmanArgs=--group-add=1986");
  });

  test("does not change an operator's text that looks like such a number", async () => {
    const site = {
      domain: "a.example.org",
      backend: "127.0.0.1:4000",
      directives: 'respond "<gid of valkey-clients>"',
    };
    const sites = { caddy: { ...FULL.caddy, sites: { a: site } } };
    const { releases } = await plan(sites);
    expect(JSON.stringify(releases)).toContain('respond \\"<gid of valkey-clients>\\"');
    const again = reportOf(await previewOfChange({ from: { ...FULL, ...sites }, to: { ...FULL, ...sites } }));
    expect(verbs(again)).toEqual({});
    expect(again.releases.find(({ name }) => name === "site-a")?.what).not.toBe("update");
  });

  test("in the enablement of a unit is shown", async () => {
    const report = await repair({
      "release-caddy": [difference("unit", "caddy.service", "disabled", "caddy.service is not enabled")],
    });
    expect(report.units.find(({ unit }) => unit === "caddy.service")).toEqual({
      unit: "caddy.service",
      verb: "none",
      reasons: [],
      enabled: true,
    });
  });

  test("a reinstalled host gets everything for the first time", async () => {
    const preview = await previewOfChange({ from: FULL, to: FULL });
    const steps = preview.steps.map((step) => ({
      ...step,
      op: "update" as const,
      differs: ["create"],
      old: { ...step.old, create: `gatehouse ${step.name} --due ${MACHINE}/2` },
      new: { ...step.new, create: `gatehouse ${step.name} --due ffff/0.1795534272` },
    }));
    const report = reportOf({ ...preview, steps, facts: { ...factsOf(preview), items: {} } });
    expect(new Set(report.units.map(({ verb }) => verb))).toEqual(new Set(["start"]));
  });
});

test("a destroyed release stops its units, affects dependents, and keeps its data", async () => {
  const preview = await previewOfChange({ from: FULL, to: FULL });
  const steps = preview.steps.map((step) =>
    step.name === "release-valkey" ? { ...step, op: "delete" as const, new: undefined } : step,
  );
  const report = reportOf({ ...preview, steps, touched: 1 });
  expect(verbs(report)).toEqual({ [VALKEY]: "stop", "valkey-socket-fix.service": "stop" });
  expect(report.totals.destroyed).toBe(1);
  expect(report.releases.find(({ name }) => name === "valkey")?.notes).toContain(
    "directory /var/lib/valkey stays with its contents",
  );
  const forgotten = reportOf({
    ...preview,
    steps: steps.map((step) =>
      step.op === "delete" ? { ...step, old: { ...step.old, create: "", retained: true } } : step,
    ),
  });
  expect(verbs(forgotten)).toEqual({});
});

test("data that is or will be deleted with its release counts as data touched", async () => {
  const preview = await previewOfChange({ from: FULL, to: FULL });
  const valkey = (change: (step: Step) => Step) => ({
    ...preview,
    steps: preview.steps.map((step) =>
      ["release-valkey", "release-valkey-authentik"].includes(step.name) ? change(step) : step,
    ),
    touched: 1,
  });
  const purge = (state?: State) => state && { ...state, purge: true };
  const withoutData = (state?: State) =>
    state && { ...state, document: state.document?.replace(/\n\[\[data\]\]\n(?:.+\n)+/, "") };
  const removed = (step: Step, old?: State): Step => ({ ...step, op: "delete", old, new: undefined });
  const going = reportOf(valkey((step) => removed(step, purge(step.old))));
  expect(going.data).toEqual([
    "the data of valkey is copied to /var/backups/gatehouse/valkey, and then deleted",
    "the data of valkey-authentik is copied to /var/backups/gatehouse/valkey-authentik, and then deleted",
  ]);
  const without = reportOf(
    valkey((step) => removed(step, purge(step.name === "release-valkey" ? withoutData(step.old) : undefined))),
  );
  expect(without.data, "no data of its own").toEqual([]);
  expect(going.summary).toContain("2 releases destroyed, data touched");
  expect(going.releases.map(releaseWords)).toEqual([
    expect.stringMatching(/^destroyed, \d files /),
    "destroyed, secret",
  ]);
  expect(going.releases.flatMap(({ notes }) => notes).join("\n")).not.toContain("stay");
  const soon = reportOf(valkey((step) => ({ ...step, op: "update", differs: ["delete"], new: purge(step.new) })));
  expect(soon.data).toEqual([]);
  expect(soon.releases.map(({ name, what, notes }) => [name, what, notes])).toEqual([
    ["valkey", "update", ["deleting it will also delete its data"]],
    ["valkey-authentik", "resend", ["deleting it will also delete its data"]],
  ]);
});

test("a unit that was stopped manually is started, and not restarted along with another one", async () => {
  const { valkey } = FULL;
  const preview = await previewOfChange({
    from: FULL,
    to: { ...FULL, valkey: { ...valkey, settings: { maxmemory: "64mb" } } },
  });
  const report = reportOf(
    drifted(preview, {
      "release-valkey": [
        difference("unit", "valkey-socket-fix.service", "inactive", "valkey-socket-fix.service is not active"),
      ],
    }),
  );
  expect(verbs(report)).toEqual({ [VALKEY]: "restart", "valkey-socket-fix.service": "start" });
});

test("a destroyed release does not start stopped units", async () => {
  const preview = await previewOfChange({ from: FULL, to: { ...FULL, caddy: { tls: "internal" } } });
  const report = reportOf(
    drifted(preview, {
      "release-caddy": [difference("unit", "caddy.service", "inactive", "caddy.service is not active")],
    }),
  );
  expect(reasons(report, "caddy.service")).toEqual(["caddy.service is not active"]);
  expect(verbs(report)).toEqual({ "caddy.service": "start" });
  // With only its removal, nothing starts Caddy.
  const alone = reportOf({ ...preview, steps: preview.steps.filter(({ name }) => name !== "release-caddy") });
  expect(verbs(alone)).toEqual({});
});
