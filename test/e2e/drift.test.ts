// What was changed by hand is shown in the preview with a diff, put right by the next `up`, and then it is quiet again.
import { afterAll, beforeAll, expect, inject, test } from "vitest";
import { ask } from "./support/client.ts";
import { Lab } from "./support/lab.ts";
import { Stack } from "./support/stack.ts";
import { touched } from "./support/touched.ts";

let lab: Lab;
let stack: Stack;

beforeAll(async () => {
  lab = await Lab.at(inject("host"));
  stack = new Stack(lab);
  expect((await stack.up()).status).toBe(0);
});
afterAll(async () => {
  expect((await stack.up()).status).toBe(0);
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

const HANDS: {
  what: string;
  does: string;
  /** Lines of the preview. */
  told: string[];
  hidden?: string;
  /** Units that the repair touches. */
  units: Record<string, string>;
  /** What is true afterwards. */
  right: [command: string, answer: string];
}[] = [
  {
    what: "an edited file",
    does: "sed -i 's/reverse_proxy/reverse_proxy # by hand/' /etc/caddy/sites/authentik.caddy && echo '# password hunter2' >>/etc/caddy/sites/authentik.caddy",
    told: [
      "/etc/caddy/sites/authentik.caddy: the content was changed by hand",
      "+++ /etc/caddy/sites/authentik.caddy\tas it is now",
      "-\treverse_proxy 127.0.0.1:9000",
      "+\treverse_proxy # by hand 127.0.0.1:9000",
      "+# password [hidden]",
    ],
    hidden: "hunter2",
    units: { "caddy.service": "reloaded" },
    right: ["grep -c hand /etc/caddy/sites/authentik.caddy || true", "0"],
  },
  {
    what: "the mode of a file",
    does: "chmod 600 /etc/authentik/authentik.env",
    told: ["/etc/authentik/authentik.env: mode or owner was changed by hand: 0600 0:0 instead of 0644 0:0"],
    units: AUTHENTIK,
    right: ["stat -c %a /etc/authentik/authentik.env", "644"],
  },
  {
    what: "a stopped unit",
    does: "systemctl stop valkey-server",
    told: ["valkey-server.service is not active"],
    units: { "valkey-server.service": "restarted", "valkey-socket-fix.service": "restarted" },
    right: ["systemctl is-active valkey-server valkey-socket-fix | uniq", "active"],
  },
  {
    what: "a disabled unit",
    does: "systemctl disable --quiet caddy",
    told: ["caddy.service is not enabled"],
    units: {},
    right: ["systemctl is-enabled caddy", "enabled"],
  },
  {
    what: "a foreign drop-in",
    does: `mkdir -p ${DROP_IN.replace(/\/[^/]*$/, "")} && printf '[Service]\\nEnvironment=A_TOKEN=hunter2\\nMemoryMax=1G\\n' >${DROP_IN} && systemctl daemon-reload`,
    told: [`${DROP_IN} belongs to no release`, "+MemoryMax=1G", "+Environment=A_TOKEN=[hidden]"],
    hidden: "hunter2",
    units: { "caddy.service": "restarted" },
    right: [
      `test ! -e ${DROP_IN} && systemctl show -P MemoryMax caddy && cat /var/lib/gatehouse/aside/caddy/*${DROP_IN} | grep -c hunter2`,
      "infinity\n1",
    ],
  },
  {
    what: "a drop-in of a Quadlet",
    does: `mkdir -p ${QUADLET.replace(/\/[^/]*$/, "")} && printf '[Container]\\nEnvironment=BY=hand\\n' >${QUADLET}`,
    told: [`${QUADLET} belongs to no release`, "+Environment=BY=hand"],
    units: AUTHENTIK,
    right: ["podman inspect authentik-worker | grep -c BY=hand || true", "0"],
  },
  {
    what: "the mode of a socket's directory",
    does: "chmod 777 /run/postgresql",
    told: ["/run/postgresql is 2777 "],
    units: { "postgresql@17-main.service": "restarted" },
    right: ["stat -c '%a %G' /run/postgresql", "2770 postgres-clients"],
  },
  {
    what: "a secret file",
    does: "f=$(ls /var/lib/gatehouse/secrets/authentik-secrets/*/secret_key) && cp $f /root/key && printf hunter2-hunter2 >$f",
    told: ["/secret_key: the content was changed by hand"],
    hidden: "hunter2",
    units: AUTHENTIK,
    right: ["cmp /root/key /var/lib/gatehouse/secrets/authentik-secrets/*/secret_key && echo same", "same"],
  },
];

test.each(HANDS)("$what", async ({ does, told, hidden, units, right: [command, answer] }) => {
  await lab.sh(does);
  const preview = await stack.preview();
  expect(preview.status, preview.text).toBe(0);
  const lines = preview.text.split("\n").map((line) => line.replace(/^ *(warning: )?/, ""));
  for (const line of told)
    expect(
      lines.some((shown) => shown.includes(line.trim())),
      `${line}\n${preview.text}`,
    ).toBe(true);
  if (hidden) expect(preview.text).not.toContain(hidden);
  const up = await touched(lab, () => stack.up());
  expect(up.result.status, up.result.text).toBe(0);
  expect(up.units).toEqual(units);
  if (hidden) expect(up.result.text).not.toContain(hidden);
  expect(await lab.sh(command)).toBe(answer);
  await nothingToDo();
});

test("a group whose GID changed: sockets, directories and containers carry the new one", async () => {
  const gid = Number(await lab.sh("getent group valkey-clients | cut -d: -f3"));
  await lab.sh(`groupmod -g ${gid + 1000} valkey-clients`);
  const preview = await stack.preview();
  expect(preview.text).toContain(`group valkey-clients is gid=${gid + 1000}, it was gid=${gid}`);
  const { result, units } = await touched(lab, () => stack.up());
  expect(result.status, result.text).toBe(0);
  expect(Object.keys(units)).toEqual(expect.arrayContaining(["valkey-server.service", "authentik-server.service"]));
  expect(units["postgresql@17-main.service"]).toBeUndefined();
  expect((await stack.outputs()).platform.groups.valkey.gid).toBe(gid + 1000);
  expect(await lab.sh("stat -c %g /run/valkey /run/valkey/valkey.sock")).toBe(`${gid + 1000}\n${gid + 1000}`);
  const groups = "cat /proc/$(podman inspect -f '{{.State.Pid}}' authentik-server)/status | grep ^Groups";
  expect(await lab.sh(groups)).toMatch(new RegExp(`\\b${gid + 1000}\\b`));
  expect((await ask(lab.address, "auth.lab.internal")).status).toBe(200);
  await nothingToDo();
});
