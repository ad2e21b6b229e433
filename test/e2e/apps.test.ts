// Apps in the configuration of the platform: added, changed and removed with the rest of it.
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { importFiles } from "../../import/import.ts";
import { Lab, PYTHON } from "./support/lab.ts";
import { Stack } from "./support/stack.ts";
import { touched, UNITS } from "./support/touched.ts";

/** Serves /srv at port 80, and answers each UDP packet at port 53 with its content. */
const SERVE =
  "import functools, http.server, socketserver, threading; Echo = type('Echo', (socketserver.BaseRequestHandler,), {'handle': lambda self: self.request[1].sendto(self.request[0], self.client_address)}); threading.Thread(target=socketserver.UDPServer(('', 53), Echo).serve_forever, daemon=True).start(); http.server.ThreadingHTTPServer(('', 80), functools.partial(http.server.SimpleHTTPRequestHandler, directory='/srv')).serve_forever()";
const WIKI = {
  containers: {
    web: {
      image: PYTHON,
      command: ["-c", SERVE],
      secrets: { key: "generated", smtp: "configured" },
      secretEnvironment: { TOKEN: "generated", SMTP_: "configured" },
      volumes: {
        "/srv": "pages",
        "/photos": { host: "/mnt/photos", readOnly: true },
        "/etc/localtime": { host: "/etc/localtime", readOnly: true },
      },
      port: 80,
      publish: 9100,
      ports: [
        { port: 80, publish: 9180, address: "*" },
        { port: 53, publish: 9153, protocol: "udp", address: "*" },
      ],
      health: { http: "/" },
      quadlet: {
        ReadOnly: true,
        Tmpfs: "/tmp:size=8m",
        HostName: "wiki",
        AddHost: ["mail.lan:192.0.2.7", "ldap.lan:192.0.2.8"],
        Ulimit: "nofile=512:512",
        Sysctl: "net.core.somaxconn=1234",
        StopTimeout: 100,
        StopSignal: "SIGINT",
        WorkingDir: "/photos",
        Label: "team=wiki",
        LogOpt: "tag=wiki-of-the-lab",
        AddCapability: "NET_RAW",
        AddDevice: "/dev/lab-full:/dev/copy",
      },
      memory: "256m",
      cpus: 0.5,
    },
  },
  postgres: { connections: 7 },
  site: { domain: "wiki.lab.internal", port: 9100 },
};
/** Two containers, of which one is reached by its name, at a port below 1024. */
const COMPOSE = `name: notes
services:
  web:
    image: ${PYTHON}
    command: -m http.server 80
    ports: ["127.0.0.1:9300:80"]
    volumes: [pages:/srv]
    working_dir: /srv
    healthcheck: { test: [CMD, python3, -c, "import urllib.request; urllib.request.urlopen('http://web')"] }
  reader:
    image: ${PYTHON}
    command: ["-c", "import time; time.sleep(1e6)"]
    sysctls: [net.core.somaxconn=321]
    depends_on: [web]
volumes:
  pages:
`;
const READ =
  "import urllib.request; print(urllib.request.urlopen('http://web:80').status, open('/proc/sys/net/core/somaxconn').read())";
const VARIABLE = "50% of\n$HOME";
const SECRETS = JSON.stringify({ wiki: { smtp: "the password for the mail", SMTP_: VARIABLE } });
const WATCHED = [...UNITS, "app-wiki-network.service", "app-wiki.service"];
const SITE = "curl -sk --resolve wiki.lab.internal:443:127.0.0.1 https://wiki.lab.internal/page";
let lab: Lab;
let stack: Stack;

beforeAll(async () => {
  lab = await Lab.at(inject("host"));
  stack = new Stack(lab);
  await stack.up();
  await lab.addPython();
  await lab.sh(`printf '[Mount]\\nWhat=tmpfs\\nWhere=/mnt/photos\\nType=tmpfs\\n' >/etc/systemd/system/mnt-photos.mount
    systemctl daemon-reload; mknod --mode 660 /dev/lab-full c 1 7; chgrp games /dev/lab-full`);
});
afterAll(async () => {
  await stack.dropSecret("appSecrets");
  await new Stack(lab).up();
  await lab.sh(`podman rmi --force ${PYTHON}
    rm /dev/lab-full; systemctl stop mnt-photos.mount; rm -r /mnt/photos /etc/systemd/system/mnt-photos.mount; systemctl daemon-reload`);
});

/** Prints the effects of the keys of the Quadlet, in the container. */
const INSIDE =
  "import os, resource, socket; s = os.statvfs('/tmp'); print(socket.gethostname(), socket.gethostbyname('mail.lan'), socket.gethostbyname('ldap.lan'), s.f_blocks * s.f_frsize >> 20, resource.getrlimit(resource.RLIMIT_NOFILE), bool(os.statvfs('/').f_flag & os.ST_RDONLY))";

const OPENED =
  "import os; read = lambda path: open(path).read(); print([line.split()[1] for line in read('/proc/self/status').splitlines() if line.startswith('CapAmb')][0], open('/dev/copy', 'rb').read(1), read('/proc/sys/net/core/somaxconn').strip(), os.getcwd())";

const variable = (name: string) => lab.sh(`podman exec app-wiki python3 -c "import os; print(os.environ['${name}'])"`);
const secret = (name: string) => lab.sh(`podman exec app-wiki python3 -c "print(open('/run/secrets/${name}').read())"`);

/** The answer to a UDP packet. */
async function echoed(port: number, text: string): Promise<string> {
  const socket = createSocket("udp4");
  try {
    const answer = once(socket, "message", { signal: AbortSignal.timeout(5000) });
    socket.send(text, port, lab.address);
    return String((await answer)[0]);
  } finally {
    socket.close();
  }
}

describe("an app in the configuration", () => {
  let key: string;
  let token: string;

  test("is refused without the value of its secret, with the command that sets it", async () => {
    stack.settings.apps = { wiki: WIKI };
    const { status, text } = await stack.up();
    expect(status).not.toBe(0);
    expect(text).toContain(`pulumi config set --secret --path 'gatehouse:appSecrets["wiki"]["smtp"]'`);
  });

  test("is served with its database, its secrets and a certificate; nothing of the platform is restarted", async () => {
    await stack.setSecret("appSecrets", SECRETS);
    await lab.sh("systemctl start mnt-photos.mount; install -m 604 -o games /dev/null /mnt/photos/one");
    await lab.sh("chown games /mnt/photos; chmod 705 /mnt/photos");
    const { result, units } = await touched(lab, () => stack.up(), WATCHED);
    expect(result.status, result.text).toBe(0);
    expect(units).toEqual({
      "app-wiki-network.service": "restarted",
      "app-wiki.service": "restarted",
      "caddy.service": "reloaded",
      "postgresql@17-main.service": "reloaded",
    });
    await lab.sh("echo hello >/var/lib/apps/wiki/pages/page");
    expect(await lab.sh(SITE)).toBe("hello");
    expect(
      await lab.sh(
        `su postgres -c "psql -XAtc \\"select rolname, rolconnlimit from pg_database join pg_authid on datdba = pg_authid.oid where datname = 'wiki'\\""`,
      ),
    ).toBe("wiki|7");
    key = await secret("key");
    expect(key).toMatch(/^[A-Za-z0-9]{48}$/);
    expect(await secret("smtp")).toBe("the password for the mail");
    expect(await variable("SMTP_")).toBe(VARIABLE);
    token = await variable("TOKEN");
    expect(token).toMatch(/^[A-Za-z0-9]{48}$/);
  });

  test("is reached from another machine at the ports that are for others, and at no other", async () => {
    expect(await (await fetch(`http://${lab.address}:9180/page`)).text()).toBe("hello\n");
    expect(await echoed(9153, "a question")).toBe("a question");
    await expect(fetch(`http://${lab.address}:9100/page`, { signal: AbortSignal.timeout(2000) })).rejects.toThrow();
  });

  test("has the keys of its Quadlet and its limits", async () => {
    expect(await lab.sh(`podman exec app-wiki python3 -c "${INSIDE}"`)).toBe(
      "wiki 192.0.2.7 192.0.2.8 8 (512, 512) True",
    );
    expect(await lab.sh(`podman exec app-wiki python3 -c "${OPENED}"`)).toBe("0000000000002000 b'\\x00' 1234 /photos");
    expect(await lab.sh("systemctl show app-wiki --property TimeoutStopUSec")).toBe("TimeoutStopUSec=2min 10s");
    expect(
      await lab.sh(
        "podman inspect app-wiki --format '{{.Config.StopSignal}} {{.Config.StopTimeout}} {{.Config.Labels.team}}'",
      ),
    ).toBe("SIGINT 100 wiki");
    expect(await lab.sh("journalctl --quiet --lines 1 --output cat SYSLOG_IDENTIFIER=wiki-of-the-lab")).not.toBe("");
    expect(await lab.sh("systemctl show app-wiki --property MemoryMax,CPUQuotaPerSecUSec")).toBe(
      "CPUQuotaPerSecUSec=500ms\nMemoryMax=268435456",
    );
  });

  test("reads a directory of the host, whose owner and mode stay, and starts only once it is mounted", async () => {
    const photos =
      "podman exec app-wiki python3 -c \"import os; print(os.listdir('/photos'), os.access('/photos', os.W_OK))\"";
    expect(await lab.sh(photos)).toBe("['one'] False");
    expect(await lab.sh("stat --format '%U %a' /mnt/photos /mnt/photos/one")).toBe("games 705\ngames 604");
    expect(await lab.sh("systemctl stop mnt-photos.mount; systemctl is-active app-wiki || true")).toBe("inactive");
    await lab.sh("systemctl start app-wiki");
    expect(await lab.sh("findmnt --noheadings --output FSTYPE /mnt/photos")).toBe("tmpfs");
  });

  test("is refused a directory of the host that is missing, or that another account could replace", async () => {
    await lab.sh("mkdir -p /mnt/of-games/photos; chown games /mnt/of-games");
    const { volumes } = stack.settings.apps.wiki.containers.web;
    volumes["/a"] = { host: "/mnt/of-games/photos" };
    volumes["/b"] = { host: "/mnt/nowhere" };
    const { result, units } = await touched(lab, () => stack.up(), WATCHED);
    expect(result.text).toContain("a folder above /mnt/of-games/photos can be written by an account other than root");
    expect(result.text).toContain("/mnt/nowhere does not exist: create it, or mount its disk");
    expect([result.status === 0, units]).toEqual([false, {}]);
    delete volumes["/a"];
    delete volumes["/b"];
    await lab.sh("rm -r /mnt/of-games");
  });

  test("is unchanged by the next `up`, and no argument list, unit or state has its secrets", async () => {
    expect(Object.keys((await stack.up("--expect-no-changes")).counts)).toEqual(["unchanged"]);
    const values = `-e ${key} -e ${token} -e 'the password for the mail' -e '50% of'`;
    const found = `grep -rlF ${values} /etc/containers /etc/systemd /run/systemd || true; podman inspect app-wiki | grep -cF ${values} || true`;
    expect(await lab.sh(found)).toBe("0");
  });

  test("restarts alone with a new generated secret, and one of a compose file starts beside it", async () => {
    stack.settings.apps.wiki.rotation = 2;
    const file = join(stack.folder, "compose.yaml");
    writeFileSync(file, COMPOSE);
    const { apps, findings } = importFiles([file]);
    expect(findings.of("lost")).toEqual([]);
    Object.assign(stack.settings.apps, apps);
    const { result, units } = await touched(lab, () => stack.up(), WATCHED);
    expect(result.status, result.text).toBe(0);
    expect(units).toEqual({ "app-wiki.service": "restarted" });
    expect(await secret("key")).not.toBe(key);
    expect(await variable("TOKEN")).not.toBe(token);
    expect(await secret("smtp")).toBe("the password for the mail");
    expect(await lab.sh(`podman exec app-notes-reader python3 -c "${READ}"`)).toBe("200 321");
  });

  test("is removed with its units and its site; its data is still there", async () => {
    delete stack.settings.apps;
    await stack.dropSecret("appSecrets");
    const { result, units } = await touched(lab, () => stack.up(), WATCHED);
    expect(result.status, result.text).toBe(0);
    expect(units).toMatchObject({ "caddy.service": "reloaded" });
    expect(await lab.sh("systemctl is-active app-wiki || true; podman secret ls --quiet")).toBe("inactive");
    expect(await lab.sh("cat /var/lib/apps/wiki/pages/page; ls /etc/caddy/sites")).toBe("hello\nauthentik.caddy");
  });
});
