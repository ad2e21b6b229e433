// A manual change appears with a diff and is reverted by the next `up`, as planned; afterwards there is nothing to do.
import { afterAll, beforeAll, expect, inject, test } from "vitest";
import { ask } from "./support/client.ts";
import { Lab } from "./support/lab.ts";
import { POSTGRES, VALKEY } from "./support/platform.ts";
import { Stack } from "./support/stack.ts";
import { announced, touched } from "./support/touched.ts";

let lab: Lab;
let stack: Stack;

beforeAll(async () => {
  lab = await Lab.at(inject("host"));
  stack = new Stack(lab);
  expect((await stack.up()).status).toBe(0);
});
afterAll(async () => {
  expect((await new Stack(lab).up()).status).toBe(0);
});

async function nothingToDo() {
  const again = await stack.up("--expect-no-changes");
  expect(Object.keys(again.counts), again.text).toEqual(["unchanged"]);
}

const DROP_IN = "/etc/systemd/system/caddy.service.d/override.conf";
const QUADLET = "/etc/containers/systemd/authentik-worker.container.d/10.conf";

const AUTHENTIK = {
  "authentik-pod.service": "restarted",
  "authentik-server.service": "restarted",
  "authentik-worker.service": "restarted",
};

interface ByHand {
  /** Each release has at most one of them in a round. */
  round: number;
  what: string;
  does: string;
  /** Expected lines of the preview. */
  reported: string[];
  hidden?: string;
  /** Units affected by the repair. */
  units: Record<string, string>;
  /** A command, and its output after the repair. */
  right: [command: string, answer: string];
}

const HANDS: ByHand[] = [
  {
    round: 1,
    what: "an edited file",
    does: "sed -i 's/reverse_proxy/reverse_proxy # by hand/' /etc/caddy/sites/authentik.caddy && echo '# password hunter2' >>/etc/caddy/sites/authentik.caddy",
    reported: [
      "/etc/caddy/sites/authentik.caddy: the content was changed by hand",
      "+++ /etc/caddy/sites/authentik.caddy\ton the host",
      "-\t\t\treverse_proxy 127.0.0.1:9000",
      "+\t\t\treverse_proxy # by hand 127.0.0.1:9000",
      "+# password [hidden]",
    ],
    hidden: "hunter2",
    units: { "caddy.service": "reloaded" },
    right: ["grep -c 'by hand' /etc/caddy/sites/authentik.caddy || true", "0"],
  },
  {
    round: 1,
    what: "the mode of a file",
    does: "chmod 600 /etc/authentik/authentik.env",
    reported: ["/etc/authentik/authentik.env: mode or owner was changed by hand: 0600 0:0 instead of 0644 0:0"],
    units: AUTHENTIK,
    right: ["stat -c %a /etc/authentik/authentik.env", "644"],
  },
  {
    round: 1,
    what: "a stopped unit",
    does: `systemctl stop ${VALKEY}`,
    reported: [`${VALKEY} is not active`],
    units: { [VALKEY]: "restarted", "valkey-socket-fix.service": "restarted" },
    right: [`systemctl is-active ${VALKEY} valkey-socket-fix | uniq`, "active"],
  },
  {
    round: 2,
    what: "a disabled unit",
    does: "systemctl disable --quiet caddy",
    reported: ["caddy.service is not enabled"],
    units: {},
    right: ["systemctl is-enabled caddy", "enabled"],
  },
  {
    round: 3,
    what: "an unmanaged drop-in",
    does: `mkdir -p ${DROP_IN.replace(/\/[^/]*$/, "")} && printf '[Service]\\nEnvironment=A_TOKEN=hunter2\\nMemoryMax=1G\\n' >${DROP_IN} && systemctl daemon-reload`,
    reported: [`${DROP_IN} belongs to no release`, "+MemoryMax=1G", "+Environment=A_TOKEN=[hidden]"],
    hidden: "hunter2",
    units: { "caddy.service": "restarted" },
    right: [
      `test ! -e ${DROP_IN} && systemctl show -P MemoryMax caddy && cat /var/lib/gatehouse/aside/caddy/*${DROP_IN} | grep -c hunter2`,
      "infinity\n1",
    ],
  },
  {
    round: 2,
    what: "a drop-in of a Quadlet",
    does: `mkdir -p ${QUADLET.replace(/\/[^/]*$/, "")} && printf '[Container]\\nEnvironment=BY=hand\\n' >${QUADLET}`,
    reported: [`${QUADLET} belongs to no release`, "+Environment=BY=hand"],
    units: AUTHENTIK,
    right: ["podman inspect authentik-worker | grep -c BY=hand || true", "0"],
  },
  {
    round: 1,
    what: "the mode of a socket's directory",
    does: "chmod 777 /run/postgresql",
    reported: ["/run/postgresql is 2777 "],
    units: { [POSTGRES]: "restarted" },
    right: ["stat -c '%a %G' /run/postgresql", "3770 postgres-clients"],
  },
  {
    round: 3,
    what: "a secret file",
    does: "f=$(ls /var/lib/gatehouse/secrets/authentik-secrets/*/secret_key) && cp $f /root/key && printf hunter2-hunter2 >$f",
    reported: ["/secret_key: the content was changed by hand"],
    hidden: "hunter2",
    units: AUTHENTIK,
    right: ["cmp /root/key /var/lib/gatehouse/secrets/authentik-secrets/*/secret_key && echo same", "same"],
  },
];

const ROUNDS = [1, 2, 3].map((round) => HANDS.filter((hand) => hand.round === round));

test.each(ROUNDS.map((hands) => [hands.map(({ what }) => what).join(", "), hands] as const))("%s", async (_, hands) => {
  await lab.sh(hands.map(({ does }) => does).join("\n"));
  const { status, report, text } = await stack.plan();
  expect(status, text).toBe(2);
  const drift = report.releases.flatMap((release) => release.drift);
  const lines = drift.flatMap(({ message, diff }) => [message, ...diff.split("\n")]);
  for (const line of hands.flatMap(({ reported }) => reported))
    expect(
      lines.some((shown) => shown.includes(line)),
      `${line}\n${lines.join("\n")}`,
    ).toBe(true);
  const units = Object.assign({}, ...hands.map(({ units }) => units));
  expect(announced(report), "the plan").toEqual(units);
  const up = await touched(lab, () => stack.up());
  expect(up.result.status, up.result.text).toBe(0);
  expect(up.units, "the actual effects").toEqual(units);
  for (const { hidden } of hands)
    if (hidden) for (const shown of [JSON.stringify(report), up.result.text]) expect(shown).not.toContain(hidden);
  for (const { right } of hands) expect(await lab.sh(right[0]), right[0]).toBe(right[1]);
  await nothingToDo();
});

test("after a GID changed, sockets, directories and containers have the new one", async () => {
  const gid = Number(await lab.sh("getent group valkey-clients | cut -d: -f3"));
  await lab.sh(`groupmod -g ${gid + 1000} valkey-clients`);
  const drift = await stack.drift();
  expect(drift.status).toBe(3);
  const { found } = drift;
  expect(found.items.find(({ item }) => item === "group valkey-clients")?.differences).toEqual([
    {
      kind: "group",
      name: "valkey-clients",
      what: "changed",
      message: `group valkey-clients has gid=${gid + 1000} instead of gid=${gid}`,
      diff: "",
      now: { gid: gid + 1000 },
    },
  ]);
  const { result, units } = await touched(lab, () => stack.up());
  expect(result.status, result.text).toBe(0);
  expect(Object.keys(units)).toEqual(expect.arrayContaining([VALKEY, "authentik-server.service"]));
  expect(units[POSTGRES]).toBeUndefined();
  expect((await stack.outputs()).platform.groups.valkey.gid).toBe(gid + 1000);
  expect(await lab.sh("stat -c %g /run/valkey /run/valkey/valkey.sock")).toBe(`${gid + 1000}\n${gid + 1000}`);
  const groups = "cat /proc/$(podman inspect -f '{{.State.Pid}}' authentik-server)/status | grep ^Groups";
  expect(await lab.sh(groups)).toMatch(new RegExp(`\\b${gid + 1000}\\b`));
  expect((await ask(lab.address, "auth.lab.internal")).status).toBe(200);
  await nothingToDo();
});

test("`npm run drift` reports a host in sync, even if the configuration disables drift detection", async () => {
  const sessions = () => lab.sessions();
  const before = await sessions();
  expect(await stack.drift()).toMatchObject({ status: 0, found: { drifted: false, items: [] } });
  expect((await sessions()) - before, "one read-only session").toBe(1);
  stack.settings.drift = false;
  await lab.sh("chmod 600 /etc/caddy/Caddyfile");
  const { status, text, found } = await stack.drift();
  delete stack.settings.drift;
  await lab.sh("chmod 644 /etc/caddy/Caddyfile");
  expect([status, found.items.map(({ item }) => item)]).toEqual([3, ["release caddy"]]);
  expect(text).toContain("the host has drifted: 1 difference");
});

test("a host that cannot be reached is not in sync", async () => {
  stack.settings.host.port = 9;
  const { status, text } = await stack.drift();
  delete stack.settings.host.port;
  expect(status).toBe(1);
  expect(text).toContain("cannot be reached");
});
