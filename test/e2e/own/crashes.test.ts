// Interrupted releases: the agent or `pulumi` killed, power failure, full disk, lost connection. On a separate host,
// with one small release that is passed directly to the agent. GATEHOUSE_EXHAUSTIVE=1 runs every failpoint, five times.
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { installation } from "../../../components/connection/agent.ts";
import { debian } from "../../../components/distribution/debian.ts";
import { type Manifest, manifestDocument, type Probe } from "../../../protocol/manifest.ts";
import { EXHAUSTIVE, Lab, type Ran, run } from "../support/lab.ts";
import { Stack } from "../support/stack.ts";

const ROUNDS = EXHAUSTIVE ? 5 : 1;

/** The failpoints in the agent's release/failpoints.py, in the order in which a release passes them. */
const POINTS = [
  "received",
  "locked",
  "planned",
  "fetched",
  "checked",
  "claimed",
  "saved",
  "snapshot",
  "recorded",
  "swapped",
  "swapped.2",
  "swapped.3",
  "swapped.4",
  "reloaded",
  "enqueued",
  "started",
  "stepped",
  "notified",
  "probed",
  "committed",
  "pruned",
] as const;
type Point = (typeof POINTS)[number];
/** These failpoints in a normal run, all of them in an exhaustive one. */
const some = (...points: Point[]): readonly Point[] => (EXHAUSTIVE ? POINTS : points);
const DONE: readonly Point[] = ["committed", "pruned"];
/** Before an apply records its intention, and after it no longer needs to. */
const UNRECORDED: readonly Point[] = ["received", "locked", "planned", "fetched", "checked", "pruned"];

let lab: Lab;
let word = "one";

/**
 * Every file contains the word, and two have it in their names. The unit runs with the word that it has read; another
 * unit, which only this generation has, is enabled with it. A unit of no release is reloaded, and has the word that it
 * read then.
 */
const generation = (which: string, more: Partial<Manifest> = {}): string =>
  manifestDocument("crash", "test/crashes/crash", false, { ...parts(which), ...more });
const parts = (which: string): Manifest => {
  const restarts = ["crash.service"];
  const crash = unit(`crash ${which}`, "cp /etc/crash/first /run/crash.word; exec sleep infinity");
  const files = [
    { path: "/etc/crash/first", content: which },
    { path: "/etc/systemd/system/crash.service", content: crash },
    { path: "/etc/crash/second", content: which, restarts: [], reloads: ["front.service"] },
    { path: `/etc/crash/only-${which}`, content: which },
    { path: `/etc/systemd/system/only-${which}.service`, content: unit(`only ${which}`, "exec sleep infinity") },
  ];
  return {
    deadline: 10,
    files: files.map((file) => ({ mode: "0644", owner: "root:root", restarts, ...file })),
    units: ["crash", `only-${which}`].map((name) => ({ name: `${name}.service`, enabled: true })),
    steps: [{ name: "step", exec: ["true"] }],
    probes: [
      { name: "it read the word", exec: ["grep", "-qx", which, "/run/crash.word"] },
      { name: "the front was told", exec: ["grep", "-qx", which, "/run/front.word"], through: "front.service" },
    ],
  };
};

const unit = (description: string, script: string) => `[Unit]
Description=${description}
StartLimitIntervalSec=0
[Service]
ExecStart=/bin/sh -c '${script}'
[Install]
WantedBy=multi-user.target
`;

/** A unit that an apply reloads, but that no release created. */
const FRONT = unit("front", "cp /etc/crash/second /run/front.word; exec sleep infinity").replace(
  "[Install]",
  "ExecReload=-cp /etc/crash/second /run/front.word\n[Install]",
);

const ssh = (command: string) => ["-F", `${dirname(lab.keyFile)}/ssh_config`, "lab", command];
const APPLY = "gatehouse release crash --due test/0";

/** Applies `document`, with the fault at a failpoint. */
function apply(document: string, fault?: string): Promise<Ran> {
  const set = `systemctl set-environment GATEHOUSE_FAILPOINT=${fault} && ${APPLY}; status=$?`;
  const command = fault ? `${set}; systemctl unset-environment GATEHOUSE_FAILPOINT; exit $status` : APPLY;
  return run("ssh", ssh(command), { input: document });
}

async function applied(which: string): Promise<void> {
  const { status, text } = await apply(generation(which));
  expect(status, text).toBe(0);
  word = which;
}

/** The words in the live files, in systemd's units, and in the running process. */
const look = () =>
  lab.sh(
    "cd /etc/crash && echo $(ls only-* | tr '\\n' ' ') $(cat first) $(cat second) $(systemctl show -P Description crash.service) " +
      "$(systemctl is-active crash.service) $(systemctl is-enabled crash.service) $(cat /run/crash.word) $(cat /run/front.word) " +
      "$(systemctl list-units --no-legend --plain 'only-*' | cut -d' ' -f1,3) $(ls /etc/systemd/system/multi-user.target.wants | grep only) " +
      "$(test -e /var/lib/gatehouse/releases/crash/transaction.json && echo interrupted)",
  );
const whole = (which: string) =>
  `only-${which} ${which} ${which} crash ${which} active enabled ${which} ${which} only-${which}.service active only-${which}.service`;

const other = () => (word === "one" ? "two" : "one");

/** The word that must be live after an interruption at a failpoint and the rollback. */
const survivor = (point: Point) => (DONE.includes(point) ? other() : word);

const waitAt = (point: Point) => lab.sh(`systemctl set-environment GATEHOUSE_FAILPOINT=${point}:wait`);
/** Starts an apply of `document` that waits at a failpoint. Returns a function that ends its SSH client. */
async function waiting(point: Point, document: string): Promise<() => void> {
  await waitAt(point);
  const client = spawn("ssh", ssh(APPLY));
  client.stdin.end(document);
  await new Promise<void>((resolve) => client.stderr.on("data", (text) => /waiting at/.test(`${text}`) && resolve()));
  return () => client.kill("SIGKILL");
}
/** Lets it continue, until no operation is in progress. */
const goOn = () =>
  lab.sh(
    "systemctl unset-environment GATEHOUSE_FAILPOINT; pkill -CONT -f '[r]elease crash --due'; while pgrep -f '[r]elease crash --due'; do sleep 0.05; done",
  );

/** Cuts the power while an apply of `document` waits at a failpoint, and boots again. */
async function pullThePlug(point: Point, document: string): Promise<void> {
  const cut = await waiting(point, document);
  await lab.reboot({ hard: true });
  cut();
}

beforeAll(async () => {
  lab = await Lab.stocked("crashes");
  const { status, text } = await run("ssh", ssh("sh -s -- crashes"), {
    input: installation({ platform: debian, gids: {} }),
  });
  expect(status, text).toBe(0);
  await lab.sh(`cat >/etc/systemd/system/front.service <<'END'\n${FRONT}END\nsystemctl enable --now front.service`);
  await applied(word);
});
afterAll(async () => {
  await lab.destroy();
});
test("the failpoints are those that the agent knows", () => {
  const faults = new URL("../../../agent/src/gatehouse/release/failpoints.py", import.meta.url);
  const known = /POINTS = \(([^)]*)\)/.exec(readFileSync(faults, "utf8"))?.[1]?.match(/\w+/g);
  expect([...new Set(POINTS.map((point) => point.split(".")[0]))]).toEqual(known);
});

test("the units that recover at boot are enabled, do nothing now, and installing them again changes nothing", async () => {
  const units = ["gatehouse-recover.service", "gatehouse-recovered.service"];
  expect(await lab.sh(`systemctl is-enabled ${units.join(" ")}`)).toBe("enabled\nenabled");
  expect(await lab.sh(`systemd-analyze verify ${units.join(" ")} 2>&1`)).toBe("");
  const reloads = () =>
    lab.sh("systemctl show -P UnitsLoadTimestampMonotonic; stat -c %Y.%i /etc/systemd/system/gatehouse-*");
  const before = await reloads();
  const again = installation({ platform: debian, gids: {} });
  expect((await run("ssh", ssh("sh -s -- crashes"), { input: again })).status).toBe(0);
  expect(await reloads()).toBe(before);
});

describe.each(Array.from({ length: ROUNDS }, (_, round) => round))("round %i", () => {
  test.each(some(...POINTS.filter((point) => !/swapped[.][34]/.test(point))))(
    "killed at %s, the next apply converges",
    async (point) => {
      const next = other();
      const { status } = await apply(generation(next), `${point}:kill`);
      expect(status).not.toBe(0);
      await applied(next);
      expect(await look()).toBe(whole(next));
    },
  );

  test.each(some("saved", "swapped.2", "enqueued", "committed"))(
    "killed at %s, `gatehouse recover` leaves one complete generation",
    async (point) => {
      const kept = survivor(point);
      await apply(generation(other()), `${point}:kill`);
      const { status, text } = await run("ssh", ssh("gatehouse recover"));
      expect(status, text).toBe(0);
      expect(text).toContain(UNRECORDED.includes(point) ? '{"recovered": []}' : '{"recovered": ["crash"]}');
      expect(await look()).toBe(whole(kept));
      word = kept;
    },
  );

  test.each(some("received", "swapped.2", "enqueued", "committed"))(
    "with the SSH connection closed at %s, the apply continues by itself and is not repeated",
    async (point) => {
      const next = other();
      const cut = await waiting(point, generation(next));
      cut();
      await goOn();
      expect(await look()).toBe(whole(next));
      word = next;
      const { status, text } = await apply(generation(next));
      expect(status, text).toBe(0);
      expect(text).toContain("release crash is in sync");
    },
  );

  // The agent's own tests cover the other failpoints too.
  const full = some("received", "checked", "claimed", "recorded", "swapped.2", "enqueued", "probed", "committed");
  test.each(full)("with a full disk at %s it reports this, and one complete generation is live", async (point) => {
    const kept = survivor(point);
    const { status, text } = await apply(generation(other()), `${point}:full`);
    expect(status).not.toBe(0);
    expect(text).toMatch(/No space left on device/);
    expect((await look()).replace(/ interrupted$/, "")).toBe(whole(kept));
    word = kept;
  });

  test.each(some("swapped.2", "enqueued", "committed"))(
    "with a power failure at %s, the host boots with one complete, running generation before any apply (H16)",
    async (point) => {
      const kept = survivor(point);
      await pullThePlug(point, generation(other()));
      expect(await look()).toBe(whole(kept));
      expect(await lab.sh("systemctl --failed --no-legend")).toBe("");
      const journal = (unit: string) => lab.sh(`journalctl --boot --output=cat --quiet --unit=${unit}`);
      const started = (await journal("crash")).match(/Started .*/g);
      expect(started, "the files were back before the unit started").toEqual([
        `Started crash.service - crash ${kept}.`,
      ]);
      const reported = await journal("gatehouse-recovered");
      if (UNRECORDED.includes(point)) expect(reported).not.toContain("an earlier apply");
      else
        expect(reported).toMatch(
          DONE.includes(point) ? /is live/ : /rolled back to generation \d+ of crash, which is healthy/,
        );
      word = kept;
      const { status, text } = await apply(generation(other()));
      expect(status, text).toBe(0);
      expect(text).not.toContain("interrupted");
      word = other();
    },
  );
});

test("with a power failure after data may have been migrated, data and files are rolled back when the host runs again", async () => {
  // The reference needs no real image.
  await lab.sh("printf '#!/bin/sh\\n' >/usr/local/bin/podman && chmod +x /usr/local/bin/podman");
  const guarded = (which: string) =>
    generation(which, {
      images: [{ reference: `image:${which}` }],
      guards: [
        {
          name: "data",
          units: ["crash.service"],
          save: ["true"],
          restore: [
            "sh",
            "-c",
            "systemctl is-active --quiet multi-user.target && cat /etc/crash/first >>/root/restored",
          ],
          user: "root",
        },
      ],
    });
  expect((await apply(guarded(word))).status).toBe(0);
  await pullThePlug("stepped", guarded(other()));
  expect(await look()).toBe(whole(word));
  expect(await lab.sh("cat /root/restored"), "restored once, with the new files still there").toBe(other());
  await applied(other());
});

/** Sends a release of one unit over SSH. */
function give(service: string, probes: Probe[] = []) {
  const file = { path: "/etc/systemd/system/one.service", mode: "0644", owner: "root:root", content: service };
  const document = manifestDocument("one", "test/crashes/one", false, {
    deadline: 6,
    files: [{ ...file, restarts: ["one.service"] }],
    units: [{ name: "one.service" }],
    probes,
  });
  return run("ssh", ssh("gatehouse release one --due test/0"), { input: document });
}

test("a unit that exits and is restarted again and again is unhealthy, although it is active most of the time", async () => {
  const flap = (script: string) =>
    give(
      `[Unit]\nStartLimitIntervalSec=0\n[Service]\nRestart=always\nRestartSec=0\nExecStart=/bin/sh -c '${script}'\n`,
      [{ name: "it stays", unit: "one.service", seconds: 2 }],
    );
  const steady = await flap("exec sleep infinity");
  expect(steady.status, steady.text).toBe(0);
  const { status, text } = await flap("sleep 1");
  expect(status, text).toBe(3);
  expect(text).toMatch(/probe it stays: one\.service has run for [01] of 2 s since it was last started/);
  expect(text).toContain("rolled back to generation 1, which is healthy");
  expect(await lab.sh("systemctl show -P ActiveState -P NRestarts one.service")).toBe("0\nactive");
});

test("a unit whose first start in a rollback fails, and that systemd starts again, is healthy after it", async () => {
  const service = (pre: string, more = "") =>
    give(`[Service]\n${more}ExecStartPre=/bin/sh -c '${pre}'\nExecStart=/bin/sleep infinity\n`);
  const busyOnce = "test ! -e /run/one.busy || { rm /run/one.busy; exit 1; }";
  const first = await service(busyOnce, "Restart=on-failure\nRestartSec=1\n");
  expect(first.status, first.text).toBe(0);
  const { status, text } = await service("touch /run/one.busy; exit 1");
  expect(status, text).toBe(3);
  expect(text).toMatch(/rolled back to generation \d+, which is healthy/);
  expect(await lab.sh("systemctl is-active one.service; ls /run/one.busy 2>&1 || true")).toMatch(
    /^active\nls: cannot access/,
  );
  expect(await lab.sh("journalctl --unit one.service --output cat | grep -c 'Failed to start'"), "twice").toBe("2");
});

test("the reason for a failed program is shown, however many processes systemd then ends and logs", async () => {
  const leaves = "echo broken on purpose; for i in $(seq 30); do sleep 100 & done; exit 1";
  const { status, text } = await give(`[Service]\nType=oneshot\nKillMode=mixed\nExecStart=/bin/sh -c '${leaves}'\n`);
  expect(status, text).toBe(3);
  expect(text).toContain("broken on purpose");
  expect(text).toContain("Failed with result 'exit-code'");
  expect(await lab.sh("journalctl --unit one.service --grep 'Killing process' --output cat | wc -l")).toBe("30");
  await run("ssh", ssh("gatehouse remove one --owner test/crashes/one"));
});

test("a state directory on a full disk changes nothing, and this is reported", async () => {
  // The current state on a separate small disk, which other data has filled.
  await lab.sh(
    "cp -a /var/lib/gatehouse /root/state && mount -t tmpfs -o size=1m,mode=0711 tmpfs /var/lib/gatehouse && " +
      "cp -a /root/state/. /var/lib/gatehouse/ && { cat /dev/zero >/var/lib/gatehouse/filled 2>/dev/null || true; }",
  );
  const full = await apply(generation(other()));
  expect(full.status).not.toBe(0);
  expect(full.text).toMatch(/No space left on device/);
  const NAMED =
    /only 0 B of 1\.0 MiB are free on the disk of \/var\/lib\/gatehouse \(mounted at \/var\/lib\/gatehouse\)/;
  expect(full.text).toMatch(NAMED);
  expect(await lab.try("gatehouse status")).toEqual({ status: 3, text: expect.stringMatching(NAMED) });
  expect(JSON.parse(await lab.sh("gatehouse facts")).warnings).toEqual([expect.stringMatching(NAMED)]);
  expect(await look()).toBe(whole(word));
  await lab.sh("rm /var/lib/gatehouse/filled");
  await applied(other());
  expect(await look()).toBe(whole(word));
  await lab.sh(
    "cp -a /var/lib/gatehouse/. /root/state/ && umount /var/lib/gatehouse && cp -a /root/state/. /var/lib/gatehouse/",
  );
});

test("of two concurrent applies the second waits, names the first, and both succeed", async () => {
  const next = other();
  const document = generation(next, { steps: [{ name: "slow", exec: ["sleep", "1"] }] });
  const both = await Promise.all([apply(document), apply(document)]);
  for (const { status, text } of both) expect(status, text).toBe(0);
  const reported = both.map(({ text }) => text).join("");
  expect(reported.match(/waiting for apply of release crash \(process \d+\), which holds release-crash/g)).toHaveLength(
    1,
  );
  expect(reported.match(/release crash is in sync/g)).toHaveLength(1);
  word = next;
  expect(await look()).toBe(whole(next));
});

describe("`pulumi` and all its processes killed", () => {
  let stack: Stack;
  const wanted = (which: string) => {
    word = which;
    stack.settings.claims = { crash: parts(which) };
  };
  beforeAll(async () => {
    // From here on, the release belongs to a stack.
    await run("ssh", ssh("gatehouse remove crash --owner test/crashes/crash"));
    const program = fileURLToPath(new URL("neighbour", import.meta.url));
    stack = await Stack.create(lab, {}, { program });
    wanted("one");
    const { status, text } = await stack.up();
    expect(status, text).toBe(0);
  });
  afterAll(async () => {
    await stack.stop();
    stack.remove();
  });

  test.each(some("received", "swapped.2", "probed"))(
    "at %s: the release is completed without it, and the next `up` finds it complete",
    async (point) => {
      wanted(other());
      await waitAt(point);
      const up = stack.begin();
      await up.said(new RegExp(`waiting at ${point}`));
      await up.kill();
      await goOn();
      expect(await look()).toBe(whole(word));
      await stack.must(["cancel", "--yes"]);
      const next = await stack.up();
      expect(next.status, next.text).toBe(0);
      expect(next.text).toContain("release crash is in sync");
      expect((await stack.up("--expect-no-changes")).status).toBe(0);
    },
  );
});
