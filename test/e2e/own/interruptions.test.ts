// Interrupted and concurrent runs of `pulumi`: killed halfway, Ctrl-C, two checkouts of one stack, two stacks on one
// host. On a separate host, in this order: each test starts from the state after the previous one.
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { ask } from "../support/client.ts";
import { Lab } from "../support/lab.ts";
import { type Outcome, Stack } from "../support/stack.ts";
import { touched } from "../support/touched.ts";

const POSTGRES = "postgresql@17-main.service";
const VALKEY = "valkey-server.service";
const CADDY = "caddy.service";
/** What the stack declares, before a test adds more. */
const RELEASES = [
  "authentik",
  "authentik-secrets",
  "caddy",
  "container-guard",
  "postgres",
  "postgres-cluster",
  "site-authentik",
  "valkey",
  "valkey-gatehouse",
];
/** Printed once the files are in place. */
const RESTARTS_POSTGRES = / restart postgresql@17-main\.service/;
const RESTARTS_VALKEY = / restart valkey-server\.service/;
let lab: Lab;
let stack: Stack;
let neighbour: Stack;
const stacks: Stack[] = [];

beforeAll(async () => {
  lab = await Lab.stocked("interruptions", "2026.8.3");
  stack = await Stack.create(lab);
  const program = fileURLToPath(new URL("neighbour", import.meta.url));
  neighbour = await Stack.create(lab, {}, { program, suffix: "-neighbour" });
  stacks.push(stack, neighbour);
  // Prints the process that holds a lock of the agent.
  await lab.sh(`cat >/usr/local/bin/holder <<'END' && chmod +x /usr/local/bin/holder
#!/bin/sh
grep -o '"pid": [0-9]*' /var/lib/gatehouse/locks/$1 | cut -d' ' -f2
END`);
});
afterAll(async () => {
  await lab.destroy();
  for (const one of stacks) one.remove();
});

beforeEach(({ onTestFailed }) => {
  // An apply left waiting by a failed test must not affect the next test.
  onTestFailed(async () => {
    await lab.try("kill -CONT $(holder host)");
    await letGo();
    for (const one of stacks) await one.stop();
    await unhold();
  });
});

/** The agent accepts drop-ins here as the administrator's; it would remove those in /etc and /run as unmanaged. */
const DROP_INS = "/usr/local/lib/systemd/system";
/** Makes each start and reload of these units wait for `letGo`, so that an apply pauses halfway without a failpoint. */
const hold = (...units: string[]) =>
  lab.sh(`rm -f /root/go
  for unit in ${units.join(" ")}; do
    mkdir -p ${DROP_INS}/$unit.d
    printf '[Service]\\nExecStartPre=+%s\\nExecReload=+%s\\n' /root/held /root/held >${DROP_INS}/$unit.d/held.conf
  done
  printf '#!/bin/sh\\nuntil [ -e /root/go ]; do sleep 0.05; done\\n' >/root/held
  chmod +x /root/held
  systemctl daemon-reload`);
const letGo = () => lab.sh("touch /root/go");
const unhold = () => lab.sh(`rm -f ${DROP_INS}/*.d/held.conf && systemctl daemon-reload`);

const until = (condition: string) =>
  lab.sh(`for i in $(seq 1200); do if ${condition}; then exit; fi; sleep 0.05; done; exit 1`);
/** No apply is in progress or interrupted. */
const ended = () => until("! ls /var/lib/gatehouse/releases/*/transaction.json >/dev/null 2>&1");

/** The number of starts of a unit since this file was written. */
const starts = async (unit: string, file: string) =>
  Number(
    await lab.sh(
      `journalctl --sync; journalctl --unit=${unit} --output=cat --since=@$(stat -c %Y ${file}) | grep -c '^Started '`,
    ),
  );
const verify = async () => JSON.parse((await lab.try("gatehouse verify --json")).text);
/** Everything on the host is in sync, and these releases of a stack, which its last `up` declared, are not on it. */
const lacks = async (one: Stack, releases: readonly string[], because: (release: string) => string = () => "") => {
  const { items, ...rest } = await verify();
  const found = Object.entries<string[]>(items).filter(([, differences]) => differences.length > 0);
  const stackName = `${one === neighbour ? "neighbour" : "gatehouse"}/${one.name}`;
  const message = `it is not on this host although the last \`pulumi up\` of ${stackName} wanted it; run that again`;
  expect(Object.fromEntries(found)).toEqual(
    Object.fromEntries(releases.map((release) => [`release-${release}`, [message + because(release)]])),
  );
  expect(rest).toEqual({ in_sync: false, unexpected: [] });
};
const hasNothingToDo = async (one: Stack) => {
  const { text, counts } = await one.up("--expect-no-changes");
  expect(Object.keys(counts), text).toEqual(["unchanged"]);
  return text;
};
const succeeded = ({ status, text }: Outcome) => expect(status, text).toBe(0);
const LOCKED =
  /the stack is currently locked by 1 lock\(s\)\. .* delete the lock file with `pulumi cancel`\.\n.*: created by \S+@\S+ \(pid \d+\) at 20/;

test("killed in a first deployment: running operations on the host finish, and each release is complete", async () => {
  await hold(POSTGRES);
  const up = stack.begin();
  await up.said(RESTARTS_POSTGRES);
  const { text } = await up.kill();
  expect(text).not.toContain("Resources:");
  expect(text).not.toContain("release postgres is healthy");
  await letGo();
  await ended();
  await unhold();
  const there = (await lab.sh("cd /var/lib/gatehouse/releases && dirname */current")).split("\n");
  expect(there).toContain("postgres");
  const missing = RELEASES.filter((release) => !there.includes(release));
  expect(missing, "those that wait for PostgreSQL").toEqual(expect.arrayContaining(["authentik", "site-authentik"]));
  await lacks(stack, missing);
  expect(await lab.sh("systemctl is-active postgresql@17-main")).toBe("active");
});

test("the lock that it left behind refuses an `up`, which does not even connect", async () => {
  const before = await lab.sessions();
  const { status, text } = await stack.up();
  expect(status).not.toBe(0);
  expect(text).toMatch(LOCKED);
  expect(await lab.sessions()).toBe(before);
});

test("after `pulumi cancel` an `up` adopts what is on the host and creates the rest, beside another stack's first `up`", async () => {
  await stack.must(["cancel", "--yes"]);
  const reloads = async () => Number(await lab.sh("journalctl --sync; journalctl _PID=1 | grep -c 'Reload requested'"));
  const before = await lab.units("InvocationID", [POSTGRES]);
  const other = neighbour.begin();
  // Pauses the first of the neighbour's releases that swaps its files, in the middle of the swap.
  await until("grep -qs 'swap of release neighbour' /var/lib/gatehouse/locks/host && kill -STOP $(holder host)");
  const read = await reloads();
  const mine = stack.begin();
  await mine.said(/waiting for swap of release neighbour-(one|two) \(process \d+\), which holds host/);
  expect((await reloads()) - read, "meanwhile systemd reads only the files of that release").toBeLessThan(2);
  await lab.sh("kill -CONT $(holder host)");
  const [theirs, ours] = await Promise.all([other.ended, mine.ended]);
  succeeded(theirs);
  succeeded(ours);
  expect(await lab.sh("systemctl is-active neighbour-one neighbour-two")).toBe("active\nactive");
  expect(await lab.sh("id -nG neighbour-app")).toBe("neighbour-app neighbour");
  expect(ours.text).toMatch(/postgres-release, interrupted while creating/);
  expect(ours.text).toContain("release postgres is in sync: generation 1");
  expect(await lab.units("InvocationID", [POSTGRES]), "not started again").toEqual(before);
  expect((await ask(lab.address, "auth.lab.internal")).status).toBe(200);
  // Both programs installed the same agent.
  expect(await lab.sh("ls --ignore=current /usr/local/lib/gatehouse")).toMatch(/^[0-9a-f]{16}$/);
  expect(await verify()).toMatchObject({ in_sync: true });
  await hasNothingToDo(neighbour);
});

test("Pulumi warns of an interrupted creation, although everything is complete, until the state is updated", async () => {
  expect(await hasNothingToDo(stack)).toMatch(/postgres-release, interrupted while creating/);
  succeeded(await stack.refresh("--clear-pending-creates"));
  expect(await stack.state()).not.toContain("pending_operations");
});

test("killed in an update, the next `up` waits for running operations, and rolls back and repeats interrupted ones", async () => {
  await lab.sh("curl -sf -X POST 'http://127.0.0.1:9000/notes?text=kept'");
  const pod = await lab.units("InvocationID", ["authentik-pod.service"]);
  stack.settings.postgres = { settings: { max_connections: 120 } };
  stack.settings.valkey = { settings: { maxmemory: "64mb" } };
  await hold(POSTGRES, VALKEY);
  const killed = stack.begin();
  await Promise.all([killed.said(RESTARTS_POSTGRES), killed.said(RESTARTS_VALKEY)]);
  await killed.kill();
  await lab.sh("kill -KILL $(holder release-postgres)");
  const reported = (await lab.try("gatehouse status")).text;
  expect(reported).toMatch(/^postgres .* interrupted$/m);
  expect(reported).toMatch(/^valkey .* in progress$/m);
  await stack.must(["cancel", "--yes"]);
  const next = stack.begin();
  await next.said(/waiting for apply of release valkey \(process \d+\), which holds release-valkey/);
  await letGo();
  const outcome = await next.ended;
  await unhold();
  succeeded(outcome);
  // Two commands and their documents; authentik's release too, if its probe could not reach PostgreSQL.
  expect([4, 5]).toContain(outcome.counts.updated);
  expect(outcome.text).toContain("an earlier apply of postgres was interrupted: rolling back to generation 1");
  expect(outcome.text).toContain("release valkey is in sync: generation 2");
  expect(await starts(VALKEY, "/etc/valkey/valkey.conf"), "not done twice").toBe(1);
  expect(await lab.units("InvocationID", ["authentik-pod.service"])).toEqual(pod);
  expect(await lab.sh("su postgres -c 'psql -XAtc \"show max_connections\"'")).toBe("120");
  expect((await ask(lab.address, "auth.lab.internal", "/notes")).body).toContain("kept");
  expect(await verify()).toMatchObject({ in_sync: true });
  expect(await hasNothingToDo(stack), "an interrupted update leaves no warning").not.toContain("pending operations");
});

test("after Ctrl-C the operation in progress finishes and no other starts; the next `up` does the rest", async () => {
  const site = { domain: "extra.lab.internal", backend: "127.0.0.1:9000" };
  Object.assign(stack.settings.caddy, { email: "root@lab.internal", sites: { extra: site } });
  await hold(CADDY);
  const up = stack.begin();
  await up.said(/ reload caddy\.service/);
  up.interrupt();
  await up.said(/\^C received; cancelling/);
  await letGo();
  const { status, text } = await up.ended;
  await unhold();
  expect(status).not.toBe(0);
  expect(text).toMatch(/error: update canceled/);
  // The cancelled plugin does not report the success; the host does.
  const { releases } = JSON.parse(await lab.sh("gatehouse history caddy --json"));
  expect(releases[0].generations.at(-1)).toMatchObject({ generation: 2, live: true });
  expect(await lab.sh("ls /etc/caddy/sites")).toBe("authentik.caddy");
  await lacks(stack, ["site-extra"]);
  const { result, units } = await touched(lab, () => stack.up());
  succeeded(result);
  // The text for reviewers, which the cancelled `up` did not reach.
  expect(result.counts).toMatchObject({ updated: 1, unchanged: expect.any(Number) });
  expect(units).toEqual({ [CADDY]: "reloaded" });
  expect(await verify()).toMatchObject({ in_sync: true });
  await hasNothingToDo(stack);
});

test("of two concurrent `up`s the second is refused if both use one backend, and waits if each has its own", async () => {
  const other = stack.copy("-ci");
  stacks.push(other);
  for (const one of [stack, other]) one.settings.valkey = { settings: { maxmemory: "65mb" } };
  await hold(VALKEY);
  const first = stack.begin();
  await first.said(RESTARTS_VALKEY);
  const before = await lab.sessions();
  const refused = await stack.up();
  expect(refused.status).not.toBe(0);
  expect(refused.text).toMatch(LOCKED);
  expect(await lab.sessions(), "it did not even connect").toBe(before);
  const second = other.begin();
  await second.said(/waiting for apply of release valkey \(process \d+\), which holds release-valkey/);
  await letGo();
  succeeded(await first.ended);
  succeeded(await second.ended);
  await unhold();
  expect((await first.ended).text).toContain("release valkey is healthy: generation 3");
  expect((await second.ended).text).toContain("release valkey is in sync: generation 3");
  expect(await starts(VALKEY, "/etc/valkey/valkey.conf")).toBe(1);
  // The host has the due number of the run that ended last; the first stack adopts it.
  const { result, units } = await touched(lab, () => stack.up());
  expect(result.counts.updated).toBe(1);
  expect(result.text).toContain("release valkey is in sync: generation 3");
  expect(units).toEqual({});
  await Promise.all([stack, other].map(hasNothingToDo));
});

test("another stack that uses the platform's files or units is refused, and nothing changes", async () => {
  const mark = { mode: "0644", owner: "root:root" };
  neighbour.settings.claims = {
    "neighbour-file": { files: [{ path: "/etc/caddy/Caddyfile", content: "# mine\n", ...mark }] },
    "neighbour-unit": {
      files: [{ path: "/etc/mine", content: "mine\n", ...mark }],
      units: [{ name: VALKEY, enabled: false }],
    },
  };
  const fingerprint = () =>
    lab.sh("find /etc -newer /var/lib/gatehouse/items/release-valkey.json; sha256sum /etc/caddy/Caddyfile");
  const before = await fingerprint();
  const { result, units } = await touched(lab, () => neighbour.up());
  expect(result.status).not.toBe(0);
  const owner = `gatehouse/${lab.name}`;
  const refusal = (release: string) => {
    const [taken, by] = release === "neighbour-file" ? ["/etc/caddy/Caddyfile", "caddy"] : [VALKEY, "valkey"];
    return `${taken} belongs to release ${by} (${owner}/${by}); remove it there with one \`pulumi up\`, then add it to ${release}; nothing was changed`;
  };
  const refused = Object.keys(neighbour.settings.claims);
  for (const release of refused) expect(result.text).toContain(refusal(release));
  expect(units).toEqual({});
  expect(await fingerprint()).toBe(before);
  await lacks(neighbour, refused, (release) => `: ${refusal(release)}`);
});

test("destroying another stack does not affect the platform", async () => {
  const { result, units } = await touched(lab, () => neighbour.destroy());
  succeeded(result);
  expect(units).toEqual({});
  expect(
    (await lab.try("ls -d /etc/neighbour-* /etc/systemd/system/neighbour-* /etc/systemd/system/*.wants/neighbour-*"))
      .text,
  ).not.toMatch(/^\//m);
  expect(await lab.sh("getent group neighbour")).toContain("neighbour-app");
  expect(await verify()).toMatchObject({ in_sync: true });
  await hasNothingToDo(stack);
});
