// The host's network changes below the platform: flushed rules, another default subnet, proxies in front.
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { ask } from "./support/client.ts";
import { Lab } from "./support/lab.ts";
import { Stack } from "./support/stack.ts";
import { touched } from "./support/touched.ts";

const DOMAIN = "auth.lab.internal";
const READY = "curl --silent --fail --max-time 1 --output /dev/null http://127.0.0.1:9000/-/health/ready/";
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

async function succeeds() {
  const { status, text } = await stack.up();
  expect(status, text).toBe(0);
}

async function nothingToDo() {
  const again = await stack.up("--expect-no-changes");
  expect(Object.keys(again.counts), again.text).toEqual(["unchanged"]);
}

/** The client address and the scheme that authentik sees for this machine. */
async function taken(headers: Record<string, string> = {}): Promise<{ client: string; scheme: string }> {
  const { body } = await ask(lab.address, DOMAIN, "/", { headers });
  const said = (key: string) => new RegExp(`"${key}": "([^"]*)"`).exec(body)?.[1] ?? body;
  return { client: said("client"), scheme: said("scheme") };
}

describe("Podman's rules", () => {
  test.each(["systemctl restart nftables", "nft flush table inet netavark"])(
    "are restored automatically, without a restart: %s",
    async (flush) => {
      const { units } = await touched(lab, async () => {
        await lab.sh(flush);
        expect((await lab.try(READY)).status, "it was flushed").not.toBe(0);
        await lab.awaits(READY);
      });
      expect(units).toEqual({});
      expect(await lab.try("gatehouse verify")).toMatchObject({ status: 0 });
    },
  );

  test("that are partly missing are reported by their effect, and the next `up` restores them without a restart", async () => {
    await lab.sh("nft flush chain inet netavark NETAVARK-HOSTPORT-DNAT");
    const message = "probe authentik is ready: http://127.0.0.1:9000/-/health/ready/: timed out";
    const probe = { kind: "probe", name: "authentik is ready", what: "failing", message, diff: "", now: {} };
    const { status, found } = await stack.drift();
    expect([status, found.items]).toEqual([3, [{ item: "release authentik", differences: [probe] }]]);
    expect((await lab.try("gatehouse verify")).text).toContain(message);
    const { result, units } = await touched(lab, () => stack.up());
    expect([result.status, units], result.text).toEqual([0, {}]);
    expect((await lab.try(READY)).status).toBe(0);
    await nothingToDo();
  });
});

test("a service that no longer answers is restarted by the next `up`", async () => {
  await lab.sh("rm /run/caddy/admin.sock");
  const { found } = await stack.drift();
  expect(found.items.map(({ item }) => item)).toEqual(["release caddy"]);
  const { result, units } = await touched(lab, () => stack.up());
  expect([result.status, units], result.text).toEqual([0, { "caddy.service": "restarted" }]);
  await nothingToDo();
});

test("a firewall that blocks container traffic causes a warning, and its two lines allow the traffic", async () => {
  const program = `import socket; socket.create_connection(("${lab.gateway}", 9), 2)`;
  const outside = async () => (await lab.try(`podman exec authentik-server python3 -c '${program}' 2>&1`)).text;
  expect(await outside(), "answered").toContain("ConnectionRefusedError");
  await lab.sh(
    "nft 'add table inet own; add chain inet own forward { type filter hook forward priority 0; policy drop; }'",
  );
  try {
    expect(await outside()).toContain("TimeoutError");
    const { text } = await stack.preview();
    expect(text).toContain("chain forward of table inet own drops packets from podman");
    expect(await lab.try("gatehouse status"), "and not a fault of the platform").toMatchObject({ status: 0 });
    const lines = text.match(/nft 'insert rule inet own [^']*'/g) ?? [];
    expect(new Set(lines).size).toBe(2);
    await lab.sh([...new Set(lines)].join(" && "));
    expect(await outside()).toContain("ConnectionRefusedError");
    expect((await stack.preview()).text).not.toContain("the firewall blocks");
  } finally {
    await lab.sh("nft delete table inet own");
  }
});

describe("authentik's network", () => {
  const proxies = () => lab.sh("cut -d= -f2 /run/authentik-network/proxies.env");

  test("is separate from the default one: authentik sees the client's address and scheme", async () => {
    await lab.sh(
      "mkdir -p /etc/containers/containers.conf.d && printf '[network]\\ndefault_subnet = \"10.123.0.0/16\"\\n' >/etc/containers/containers.conf.d/own.conf && systemctl restart authentik-pod",
    );
    await lab.awaits(READY);
    expect(await taken()).toEqual({ client: lab.gateway, scheme: "https" });
    await lab.sh("rm /etc/containers/containers.conf.d/own.conf");
  });

  test("is created again after it was pruned, and its new gateway is trusted", async () => {
    await lab.sh("systemctl stop authentik-pod && podman system prune --force");
    expect((await lab.try("podman network exists authentik")).status).toBe(1);
    await lab.sh("systemctl start authentik-server authentik-worker");
    await lab.awaits(READY);
    expect(await taken()).toEqual({ client: lab.gateway, scheme: "https" });
    expect((await lab.try("/usr/local/libexec/gatehouse/container-guard --check")).text).toBe("");
    await nothingToDo();
  });

  test("may be configured, also with IPv6", async () => {
    stack.settings.authentik.network = { subnets: ["10.50.0.0/24", "fd00:50::/64"] };
    await succeeds();
    expect(await proxies()).toBe("127.0.0.0/8,::1/128,10.50.0.1/32,fd00:50::1/128");
    expect(await taken()).toEqual({ client: lab.gateway, scheme: "https" });
    expect(await lab.sh("nft list table inet gatehouse")).toMatch(/daddr 10\.50\.0\.0\/24.*daddr fd00:50::\/64/s);
    await nothingToDo();
  });

  test("with a subnet that is in use is refused while the pod keeps running", async () => {
    const [route] = (await lab.sh("ip -oneline -4 address show dev eth0 | awk '{ print $4 }'")).split("\n");
    const network = `${route?.split(".").slice(0, 3).join(".")}.0/24`;
    stack.settings.authentik.network = { subnets: [network] };
    const { result, units } = await touched(lab, () => stack.up());
    expect(result.status).not.toBe(0);
    expect(result.text).toContain("authentik.network can be created on this host");
    expect(units).toEqual({});
    delete stack.settings.authentik.network;
    await succeeds();
    expect(await taken()).toEqual({ client: lab.gateway, scheme: "https" });
  });
});

describe("proxies in front of Caddy", () => {
  const CLAIMED = { "X-Forwarded-For": "6.6.6.6, 203.0.113.9", "X-Real-IP": "6.6.6.6" };
  const ECHO = "echo.lab.internal";
  const real = async () => (await ask(lab.address, ECHO, "/", { headers: CLAIMED })).body;

  beforeAll(async () => {
    const echo = { domain: ECHO, backend: "127.0.0.1:9", directives: "respond {http.request.header.X-Real-IP}" };
    stack.settings.caddy.sites = { echo };
    await succeeds();
  });

  test("that are not configured are ordinary clients: their claims about others are not trusted", async () => {
    expect(await taken(CLAIMED)).toEqual({ client: lab.gateway, scheme: "https" });
    expect(await real()).toBe(lab.gateway);
  });

  test("that are configured report the client to authentik and to each site", async () => {
    stack.settings.trustedProxies = [lab.gateway, "198.51.100.0/24"];
    await succeeds();
    expect((await taken(CLAIMED)).client).toBe("203.0.113.9");
    expect(await real()).toBe("203.0.113.9");
    expect(
      (await taken({ "X-Forwarded-For": "203.0.113.9, 198.51.100.4" })).client,
      "of two, one behind the other",
    ).toBe("203.0.113.9");
    expect(await taken(), "one that sets no header").toEqual({ client: lab.gateway, scheme: "https" });
    await nothingToDo();
  });

  test("that are no longer configured are no longer trusted", async () => {
    delete stack.settings.trustedProxies;
    await succeeds();
    expect(await taken(CLAIMED)).toEqual({ client: lab.gateway, scheme: "https" });
    expect(await real()).toBe(lab.gateway);
  });
});
