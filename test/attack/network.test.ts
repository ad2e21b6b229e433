// This machine, as a neighbour of the host, connects to a container at the container's own address.
import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ask } from "../e2e/support/client.ts";
import { run } from "../e2e/support/lab.ts";
import { PYTHON } from "./support/apps.ts";
import { Attacked } from "./support/host.ts";

const VICTIM = "victim.attack.internal";
const OWN = "own-of-the-operator";
let host: Attacked;
let routes: string[];
let addresses: { authentik: string; victim: string; six: string };

const ip = async (...words: string[]) => {
  const { status, text } = await run("ip", words);
  if (status !== 0) throw new Error(`ip ${words.join(" ")}: ${text}`);
};
const reached = async (url: string) =>
  (
    await run("curl", [
      "--silent",
      "--globoff",
      "--max-time",
      "3",
      "--output",
      "/dev/null",
      "--write-out",
      "%{http_code}",
      url,
    ])
  ).text;
const fromHost = (url: string) =>
  host.lab.sh(`curl --silent --globoff --max-time 3 --output /dev/null --write-out '%{http_code}' '${url}' || true`);
const check = () => host.lab.try("/usr/local/libexec/gatehouse/container-guard --check 2>&1");

beforeAll(async () => {
  host = await Attacked.host();
  const addressOf = (container: string, network: string, key = "IPAddress") =>
    host.lab.sh(`podman inspect ${container} --format '{{(index .NetworkSettings.Networks "${network}").${key}}}'`);
  const { lab } = host;
  // An operator's own network, with a name like that of an app, has addresses of both families.
  await lab.sh(
    `podman network create --ipv6 --subnet 10.99.0.0/24 --subnet fd00:99::/64 app-six && systemctl reload gatehouse-container-guard &&
     podman run -d --name six --network app-six ${PYTHON} -m http.server 8080 --bind :: &&
     podman run -d --name ${OWN} -p 0.0.0.0:9999:8080 ${PYTHON} -m http.server 8080`,
  );
  const device = JSON.parse((await run("ip", ["-json", "route", "get", lab.address])).text)[0].dev;
  const cable = `fd00:77:${lab.address.split(".")[2]}:`;
  await ip("-6", "address", "add", `${cable}:1/64`, "dev", device, "nodad");
  await lab.sh(`ip -6 address add ${cable}:2/64 dev eth0 nodad`);
  addresses = {
    authentik: await addressOf("authentik-infra", "authentik"),
    victim: await addressOf("app-victim", "app-victim"),
    six: await addressOf("six", "app-six", "GlobalIPv6Address"),
  };
  routes = [`${addresses.authentik}/32`, `${addresses.victim}/32`];
  for (const route of routes) await ip("route", "add", route, "via", lab.address);
  await ip("-6", "route", "add", `${addresses.six}/128`, "via", `${cable}:2`);
});
afterAll(async () => {
  for (const route of routes ?? []) await run("ip", ["route", "del", route]);
  await run("ip", ["-6", "route", "del", `${addresses?.six}/128`]);
  await host.lab.try(`podman rm -f six ${OWN}; podman network rm app-six; systemctl reload gatehouse-container-guard`);
});

/**
 * Whether the published port answers a packet for 127.0.0.1. Podman rewrites such packets before the kernel drops them.
 */
async function synToLoopback(): Promise<string> {
  const [{ dev }] = JSON.parse((await run("ip", ["-json", "route", "get", host.lab.address])).text);
  const [{ lladdr }] = JSON.parse((await run("ip", ["-json", "neigh", "show", host.lab.address])).text);
  return (await run("python3", ["-c", SYN, dev, lladdr, host.lab.gateway])).text.trim();
}

const DOORS = () => ({
  authentik: `http://${addresses.authentik}:9000/-/health/live/`,
  victim: `http://${addresses.victim}:8080/`,
  six: `http://[${addresses.six}]:8080/`,
});
const closed = async () => {
  for (const [name, url] of Object.entries(DOORS())) expect([name, await reached(url)]).toEqual([name, "000"]);
};

describe("a container", () => {
  test("is reachable from its own host", async () => {
    for (const [name, url] of Object.entries(DOORS())) expect([name, await fromHost(url)]).toEqual([name, "200"]);
  });

  test("is not reachable by a route to its address, and would be without the rule", async () => {
    await closed();
    await host.lab.sh("systemctl stop gatehouse-container-guard && nft delete table inet gatehouse");
    try {
      for (const [name, url] of Object.entries(DOORS())) expect([name, await reached(url)]).toEqual([name, "200"]);
      expect(await synToLoopback()).toContain("answer");
      expect((await check()).text).toContain("containers can be reached from outside at");
    } finally {
      await host.lab.sh("systemctl start gatehouse-container-guard");
    }
    await closed();
    expect((await check()).status).toBe(0);
  });

  test("is reachable through Caddy, and at ports that it publishes to all addresses", async () => {
    expect((await ask(host.lab.address, VICTIM)).status).toBe(200);
    expect(await reached(`http://${host.lab.address}:9999/`)).toBe("200");
    expect(await fromHost("http://127.0.0.1:9200/")).toBe("200");
  });

  test("can connect to the outside, and gets the answer", async () => {
    const outside = createServer((socket) => socket.end("hello out")).listen(0, host.lab.gateway);
    await once(outside, "listening");
    const { port } = outside.address() as AddressInfo;
    const program = `import socket; print(socket.create_connection(('${host.lab.gateway}', ${port}), 3).recv(9))`;
    try {
      expect(await host.inside("victim", program)).toContain("hello out");
    } finally {
      outside.close();
    }
  });

  test("is not reachable at a loopback port of the host with any packet", async () => {
    expect(await synToLoopback()).toBe("[]");
  });
});

/** Sends a TCP SYN for 127.0.0.1:9200 to a neighbour, and prints the reply received within two seconds. */
const SYN = `
import random, socket, struct, sys, time
port = random.randrange(30000, 60000)
device, mac, source = sys.argv[1:]
def total(data):
    data += b"\\0" * (len(data) % 2); s = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while s >> 16: s = (s & 0xffff) + (s >> 16)
    return ~s & 0xffff
src, dst = socket.inet_aton(source), socket.inet_aton("127.0.0.1")
tcp = struct.pack("!HHIIBBHHH", port, 9200, 1, 0, 5 << 4, 2, 1024, 0, 0)
tcp = tcp[:16] + struct.pack("!H", total(src + dst + struct.pack("!BBH", 0, 6, len(tcp)) + tcp)) + tcp[18:]
head = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 40, 1, 0, 64, 6, 0, src, dst)
head = head[:10] + struct.pack("!H", total(head)) + head[12:]
wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x0800)); wire.bind((device, 0)); wire.settimeout(0.2)
wire.send(bytes.fromhex(mac.replace(":", "")) + wire.getsockname()[4] + b"\\x08\\x00" + head + tcp)
until, found = time.time() + 2, []
while time.time() < until:
    try: frame = wire.recv(2048)
    except OSError: continue
    if frame[23] == 6 and frame[34:38] == struct.pack("!HH", 9200, port): found.append("answer")
print(found)
`;

describe("the rule stays", () => {
  test.each([
    ["nft flush ruleset"],
    ["systemctl restart nftables"],
    ["nft -f /etc/nftables.conf"],
    ["nft delete table inet netavark"],
    ["nft flush table inet netavark"],
    ["podman network reload --all"],
    ["systemctl kill --signal=KILL gatehouse-container-guard; sleep 3"],
    ["pkill -KILL -x nft; sleep 3"],
    ["systemctl reload gatehouse-container-guard"],
    ["systemctl restart gatehouse-container-guard"],
  ])("%s", async (command) => {
    await host.lab.try(command);
    await closed();
    // Published ports and outgoing connections recover by themselves.
    await host.lab.awaits("curl --silent --fail --max-time 1 --output /dev/null http://127.0.0.1:9200/");
    expect((await check()).text).toBe("");
  });

  test("if Podman's rules are flushed while the guard is stopped, the release is unhealthy", async () => {
    await host.lab.sh("systemctl stop gatehouse-container-guard && nft delete table inet netavark");
    expect(await fromHost("http://127.0.0.1:9200/")).toBe("000");
    expect((await check()).text).toContain("published ports do not work");
    await host.lab.sh("systemctl start gatehouse-container-guard");
    await host.lab.awaits("curl --silent --fail --max-time 1 --output /dev/null http://127.0.0.1:9200/");
    await closed();
    expect((await check()).text).toBe("");
  });

  test("no other program removes it", async () => {
    expect((await host.lab.try("nft delete table inet gatehouse 2>&1")).text).toContain("Operation not permitted");
    expect((await host.lab.try("nft add rule inet gatehouse prerouting accept 2>&1")).text).toContain(
      "Operation not permitted",
    );
  });

  test("the network of a new application is in it before its container starts, also at boot", async () => {
    await host.lab.sh("systemctl restart app-victim-network app-victim");
    expect((await check()).text).toBe("");
    await host.lab.reboot();
    await host.lab.awaits("systemctl is-active --quiet app-victim authentik-server caddy");
    expect((await check()).text).toBe("");
    const order = await host.lab.sh(
      "for u in gatehouse-container-guard app-victim authentik-pod; do systemctl show --value -p ActiveEnterTimestampMonotonic $u; done",
    );
    const [guard = 0, ...containers] = order.split("\n").map(Number);
    for (const started of containers) expect(started).toBeGreaterThan(guard);
  });

  test("a missing entry makes the release unhealthy", async () => {
    await host.lab.sh("podman network create --subnet 10.98.0.0/24 app-late");
    expect((await host.lab.try("gatehouse status")).text).toContain(
      "containers can be reached from outside at 10.98.0.0/24",
    );
    await host.lab.sh("systemctl reload gatehouse-container-guard");
    expect((await check()).text).toBe("");
    await host.lab.sh("podman network rm app-late");
  });
});
