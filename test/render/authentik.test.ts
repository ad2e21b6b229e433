import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { ownVariables } from "../../components/authentik/variables.ts";
import { CASES } from "./cases.ts";
import { file, partsOfCase, section, values } from "./rendered.ts";

const QUADLETS = "/etc/containers/systemd";
const ENVIRONMENT = "/etc/authentik/authentik.env";
const CONTAINERS = [`${QUADLETS}/authentik-server.container`, `${QUADLETS}/authentik-worker.container`];
const POD = `${QUADLETS}/authentik.pod`;
const ALL = [POD, ...CONTAINERS];
const STARTUP = "/usr/local/libexec/gatehouse/authentik-startup";
const NEW = "full";
const OLD = "old-authentik-with-valkey";
const ALONE = "authentik-without-valkey";

describe.each(ALL)("%s", (path) => {
  const unit = file(NEW, path);

  test("is wanted by multi-user.target, because a generated unit cannot be enabled (M5)", () => {
    expect(section(unit, "Install")).toEqual(["WantedBy=multi-user.target"]);
  });

  test("has no user namespace, which would remap the groups that open the sockets (M4)", () => {
    expect(unit).not.toMatch(/UserNS|[UG]IDMap|SubUIDMap|RemapU|userns|uidmap|keep-groups/i);
  });

  test("opts out of no security (M4)", () => {
    expect(unit).not.toMatch(/SecurityLabel|label=|seccomp=|apparmor=|privileged|AddCapability/i);
  });

  test("does not mount /dev/shm: server and worker would share names in it (M4)", () => {
    expect(unit).not.toMatch(/\/dev\/shm|ipc/i);
  });

  test("does not update itself: the configuration sets the version", () => {
    expect(unit).not.toMatch(/AutoUpdate|autoupdate/i);
  });

  test("does not require PostgreSQL or Valkey: their restart must not restart the pod (H15)", () => {
    expect(unit).not.toMatch(/^(Requires|Requisite|BindsTo|PartOf|Upholds)=/m);
  });
});

describe.each(CONTAINERS)("%s", (path) => {
  test("belongs to the pod (M5)", () => {
    expect(values(file(NEW, path), "Pod")).toEqual(["authentik.pod"]);
  });

  test("runs with the account's IDs from the start, because a start as root would drop the groups (M4)", () => {
    expect([values(file(NEW, path), "User"), values(file(NEW, path), "Group")]).toEqual([["985"], ["984"]]);
  });

  test.each([
    [NEW, ["--group-add=987", "--group-add=986"]],
    [OLD, ["--group-add=987", "--group-add=986"]],
    [ALONE, ["--group-add=987"]],
  ])("has in case %s the GIDs of exactly the services that it uses, %j (M6)", (name, expected) => {
    expect(values(file(name, path), "PodmanArgs")).toEqual(expected);
  });

  test("mounts the directories of the sockets, not the sockets, which a restart creates again, and read-only", () => {
    const mounts = (name: string) => values(file(name, path), "Volume").filter((mount) => mount.startsWith("/run/"));
    expect(mounts(NEW)).toEqual(["/run/postgresql:/run/postgresql:ro", "/run/valkey:/run/valkey:ro"]);
    expect(mounts(ALONE)).toEqual(["/run/postgresql:/run/postgresql:ro"]);
  });

  test.each([
    [NEW, "data:/data"],
    [ALONE, "data:/data"],
    [OLD, "data/media:/media"],
  ])(
    "has uploads in case %s where that version of authentik expects them, at one place on the host: %s",
    (name, mount) => {
      const mounts = values(file(name, path), "Volume").filter((mount) => /:\/(data|media)$/.test(mount));
      expect(mounts).toEqual([`/var/lib/authentik/${mount}`]);
    },
  );

  test("sees its secrets read-only, in the generation that it was created for (H5)", () => {
    expect(values(file(NEW, path), "Volume")).toContain(
      "/var/lib/gatehouse/secrets/authentik-secrets/4:/run/secrets/authentik:ro",
    );
  });

  test("if it is the worker, gets the values of the first start from a file that only root can read", () => {
    const files = values(file(NEW, path), "EnvironmentFile");
    const first = "/var/lib/gatehouse/secrets/authentik-secrets/4/first-start.env";
    expect(files.filter((name) => name.includes("/secrets/"))).toEqual(path.includes("worker") ? [first] : []);
  });

  test("is healthy by authentik's own command, because the image may have neither curl nor a shell", () => {
    const unit = file(NEW, path);
    expect([values(unit, "HealthCmd"), values(unit, "Notify")]).toEqual([['["ak", "healthcheck"]'], ["healthy"]]);
  });

  test("is checked while it starts by a script that ends in authentik's own command, in time", () => {
    const unit = file(NEW, path);
    const port = path.includes("worker") ? "9001" : "9000";
    expect(JSON.parse(values(unit, "HealthStartupCmd")[0] ?? "")).toEqual([
      "python3",
      "-IS",
      STARTUP,
      port,
      "/-/health/live/",
    ]);
    expect(values(unit, "Volume")).toContain(`${STARTUP}:${STARTUP}:ro`);
    // Since Podman 5.6 a check is ended after HealthTimeout, also while the container starts.
    const [wait] = /(?<=^WAIT = )\d+/m.exec(file(NEW, STARTUP)) ?? [];
    for (const key of ["HealthTimeout", "HealthStartupTimeout"])
      expect(Number.parseInt(values(unit, key)[0] ?? "", 10) - Number(wait)).toBeGreaterThanOrEqual(5);
  });

  test("restarts by itself: authentik exits if the database is unavailable for half a minute", () => {
    expect(values(file(NEW, path), "Restart")).toEqual(["always"]);
  });

  test("runs in /system.slice (M8)", () => {
    expect(section(file(NEW, path), "Service")).toContain("Slice=system.slice");
  });

  test("has the image with its exact version, and with its digest if configured", () => {
    expect(values(file(NEW, path), "Image")).toEqual([`ghcr.io/goauthentik/server:2026.8.3@sha256:${"5".repeat(64)}`]);
    expect(values(file(OLD, path), "Image")).toEqual(["ghcr.io/goauthentik/server:2025.8.4"]);
  });
});

describe("the pod", () => {
  test("has no --group-add, which Podman supports only for containers (M6)", () => {
    expect(file(NEW, POD)).not.toMatch(/group-?add/i);
  });

  test("publishes plain HTTP on loopback only, and not 9443 (M9)", () => {
    expect(values(file(NEW, POD), "PublishPort")).toEqual(["127.0.0.1:9080:9000"]);
    expect(values(file(OLD, POD), "PublishPort")).toEqual(["127.0.0.1:9000:9000"]);
    for (const path of ALL) expect(file(NEW, path)).not.toMatch(/Publish.*(9443|0\.0\.0\.0|\[::\])/);
  });

  test("shares its network and not /dev/shm, in which both bind the same names", () => {
    expect(values(file(NEW, POD), "PodmanArgs")).toContain("--share=net,uts");
  });

  test("sets the size of /dev/shm, which Podman takes from the pod only", () => {
    expect(values(file(ALONE, POD), "PodmanArgs")).toContain('"--shm-size=512m"');
    expect(values(file(NEW, POD), "PodmanArgs").filter((word) => word.includes("shm"))).toEqual(['"--shm-size=1g"']);
    for (const path of CONTAINERS) expect(file(NEW, path)).not.toContain("ShmSize");
  });

  test("has all keys that its members share, and they have the others", () => {
    const shared = [
      ...['"--hostname=auth"', '"--add-host=mail.lan:192.0.2.7"', '"--add-host=ldap.lan:192.0.2.8"'],
      // Of the network, which they share.
      ...['"--sysctl=net.core.somaxconn=1024"', '"--sysctl=net.ipv4.tcp_syncookies=1"'],
    ];
    expect(values(file(NEW, POD), "PodmanArgs")).toEqual(expect.arrayContaining(shared));
    for (const path of CONTAINERS) {
      expect(values(file(NEW, path), "LogDriver")).toEqual(["journald"]);
      expect(file(NEW, path)).not.toMatch(/^(HostName|AddHost|Sysctl)=/m);
    }
  });

  test.each([
    [NEW, "network-online.target postgresql@17-main.service valkey-server.service"],
    [ALONE, "network-online.target postgresql@17-main.service"],
  ])("starts in case %s after the services whose sockets it uses: %s (H15)", (name, units) => {
    expect([values(file(name, POD), "Wants"), values(file(name, POD), "After")]).toEqual([[units], [units]]);
  });
});

describe("the check while authentik starts", () => {
  const folder = mkdtempSync(join(tmpdir(), "authentik-startup-"));
  afterAll(() => rmSync(folder, { recursive: true }));
  const asked = () => (existsSync(join(folder, "asked")) ? readFileSync(join(folder, "asked"), "utf8") : "");

  /** Starts the script in an environment where `ak healthcheck` notes each call and exits with this status. */
  const started = async ({ port = 1, status = 0, wait = "25" } = {}) => {
    rmSync(folder, { recursive: true });
    mkdirSync(folder);
    const ak = `#!/bin/sh\necho "$@" >>${folder}/asked\nexit ${status}\n`;
    writeFileSync(join(folder, "ak"), ak, { mode: 0o755 });
    const script = file(NEW, STARTUP).replace(/(?<=^WAIT = )\d+/m, wait);
    const words = ["-IS", "-c", script, String(port), "/auth/-/health/live/"];
    const running = spawn("python3", words, { env: { PATH: `${folder}:${process.env.PATH}`, TMPDIR: folder } });
    return once(running, "exit").then(([code]) => code);
  };
  const passed = () => new Promise((resolve) => setTimeout(resolve, 300));

  test("asks `ak healthcheck` once authentik answers 200 at its path, and ends with its status", async () => {
    let live = false;
    const server = createServer(({ url }, answer) => {
      answer.writeHead(live && url === "/auth/-/health/live/" ? 200 : 502).end();
    }).listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address() as AddressInfo;
    const code = started({ port, status: 1 });
    await passed();
    expect(asked()).toBe("");
    live = true;
    expect([await code, asked()]).toEqual([1, "healthcheck\n"]);
    server.close();
  });

  test("asks it once a worker has its PID file", async () => {
    const code = started();
    await passed();
    expect(asked()).toBe("");
    writeFileSync(join(folder, "authentik-worker.pid"), "7");
    expect([await code, asked()]).toEqual([0, "healthcheck\n"]);
  });

  test("asks it at the end of its wait if it recognises neither", async () => {
    expect([await started({ wait: "0.2" }), asked()]).toEqual([0, "healthcheck\n"]);
  });
});

describe("the ports inside the pod", () => {
  const listen = (path: string) =>
    Object.fromEntries(values(file(NEW, path), "Environment").map((entry) => entry.split("=") as [string, string]));
  const [server, worker] = CONTAINERS.map(listen) as [Record<string, string>, Record<string, string>];

  test("of the server: HTTP on all addresses, which the published port needs (M9)", () => {
    expect(server.AUTHENTIK_LISTEN__HTTP).toBe("0.0.0.0:9000");
  });

  test("all others are on loopback: HTTPS cannot be disabled, and metrics have no password", () => {
    const others = [...Object.values(server), ...Object.values(worker)].filter((address) => address !== "0.0.0.0:9000");
    expect(others).toHaveLength(7);
    for (const address of others) expect(address).toMatch(/^127\.0\.0\.1:\d+$/);
  });

  test("are different for server and worker, which share one network", () => {
    const shared = Object.values(server).filter((address) => Object.values(worker).includes(address));
    expect(shared).toEqual([]);
  });
});

describe("the environment", () => {
  const names = (name: string) => [...file(name, ENVIRONMENT).matchAll(/^(\w+)=/gm)].map(([, key]) => key);
  const value = (name: string, key: string) => values(file(name, ENVIRONMENT), key)[0];

  test.each(Object.keys(CASES))("of case %s contains no secret, only the files that contain one", (name) => {
    const secret = names(name).filter((key) => /SECRET|PASSWORD|TOKEN|(CACHE|CHANNEL|BROKER)__URL/.test(key as string));
    expect(secret).toContain("AUTHENTIK_SECRET_KEY");
    for (const key of secret)
      expect(value(name, key as string)).toMatch(/^file:\/\/\/run\/secrets\/authentik\/[A-Za-z_]+$/);
  });

  test("has Valkey's URLs up to 2025.8, and no setting for Redis from 2025.10 on, which does not use it", () => {
    const about = (name: string) =>
      names(name).filter((key) => /CACHE|CHANNEL|REDIS|BROKER|VALKEY/.test(key as string));
    expect(about(OLD)).toEqual(["AUTHENTIK_CACHE__URL", "AUTHENTIK_CHANNEL__URL"]);
    for (const name of [NEW, ALONE, "acme"]) expect(about(name)).toEqual([]);
  });

  test("has the base URL from 2026.8 on, and not before, when authentik does not support it", () => {
    expect(value(NEW, "AUTHENTIK_WEB__BASE_URL")).toBe("https://auth.example.org");
    for (const name of [OLD, ALONE, "acme"]) expect(names(name)).not.toContain("AUTHENTIK_WEB__BASE_URL");
  });

  test("reaches PostgreSQL through the socket's directory, without TLS and without a password (peer)", () => {
    expect(value(NEW, "AUTHENTIK_POSTGRESQL__HOST")).toBe("/run/postgresql");
    expect(value(NEW, "AUTHENTIK_POSTGRESQL__SSLMODE")).toBe("disable");
    expect(names(NEW)).not.toContain("AUTHENTIK_POSTGRESQL__PASSWORD");
  });

  test("has the first administrator's address if one is set, and no password", () => {
    expect(value(NEW, "AUTHENTIK_BOOTSTRAP_EMAIL")).toBe("operator@example.org");
    for (const name of Object.keys(CASES)) expect(names(name).join()).not.toMatch(/BOOTSTRAP_(PASSWORD|TOKEN)/);
    expect(names(OLD)).not.toContain("AUTHENTIK_BOOTSTRAP_EMAIL");
  });

  test.each([NEW, OLD, ALONE, "acme"])(
    "of case %s sets, together with the pod, exactly the variables that an operator may not set",
    (name) => {
      const { image } = /server:(?<image>[\d.]+)/.exec(file(name, CONTAINERS[0] as string))?.groups ?? {};
      const given = Object.keys((CASES[name] as { authentik: { environment?: object } }).authentik.environment ?? {});
      const free = /^AUTHENTIK_(EMAIL|OUTPOSTS|ERROR_REPORTING|DISABLE|BOOTSTRAP)_/;
      const listen = CONTAINERS.flatMap((path) =>
        values(file(name, path), "Environment").map((one) => one.split("=")[0]),
      );
      // The trusted proxies are known only once authentik's network exists.
      const proxies = "AUTHENTIK_LISTEN__TRUSTED_PROXY_CIDRS";
      const set = [...names(name), ...listen, proxies].filter(
        (one) => !given.includes(one as string) && !free.test(one as string),
      );
      expect([...new Set(set)].sort()).toEqual(ownVariables(image as string).sort());
    },
  );

  test("quotes nothing: Podman would keep the quotes, and Python and Rust would disagree", () => {
    for (const name of Object.keys(CASES)) expect(file(name, ENVIRONMENT)).not.toMatch(/["']/);
  });

  test("is readable by all, because the file contains no secrets", () => {
    expect(partsOfCase(NEW).authentik.files?.find(({ path }) => path === ENVIRONMENT)?.mode).toBe("0644");
  });
});

describe("the manifest", () => {
  const { authentik } = partsOfCase(NEW);

  test("restarts the pod as one unit for each file that a running container has read, and nothing else (H15, M18)", () => {
    // Containers in the network stop with it.
    const own = ["/etc/containers/systemd/authentik.network", "/usr/local/libexec/gatehouse/authentik-proxies"];
    for (const { path, restarts, reloads } of (authentik.files ?? []).filter(({ path }) => path !== STARTUP))
      expect([path, restarts, reloads]).toEqual([
        path,
        [...(own.includes(path) ? ["authentik-network.service"] : []), "authentik-pod.service"],
        undefined,
      ]);
  });

  test("has its own network, and only loopback addresses in its settings", () => {
    const text = (path: string) => authentik.files?.find((file) => file.path === path)?.content ?? "";
    expect(values(text("/etc/containers/systemd/authentik.pod"), "Network")).toEqual(["authentik.network"]);
    const smallest =
      partsOfCase("acme")
        .authentik.files?.map(({ content }) => content)
        .join("\n") ?? "";
    expect([...new Set(smallest.match(/\b\d+\.\d+\.\d+\.\d+\b/g))].sort()).toEqual([
      "0.0.0.0",
      "127.0.0.0",
      "127.0.0.1",
    ]);
    expect(values(text("/etc/containers/systemd/authentik.network"), "Subnet")).toEqual([
      "10.50.0.0/24",
      "fd00:50::/64",
    ]);
  });

  test("keeps the secrets that it refers to (H5)", () => {
    expect(authentik.refers).toEqual(["/var/lib/gatehouse/secrets/authentik-secrets/4"]);
    expect(partsOfCase(OLD).authentik.refers).toContain("/var/lib/gatehouse/secrets/valkey-authentik/2");
  });

  test("saves the database before another image starts, and can restore it (H2)", () => {
    expect(authentik.guards).toMatchObject([{ units: ["authentik-pod.service"], user: "postgres" }]);
  });

  test("is restored by one statement that checks first: a second rollback must not take the good data for the bad (H2)", () => {
    const [guard] = authentik.guards ?? [];
    const statements = (argv: readonly string[] = []) => argv.filter((_, at) => argv[at - 1] === "--command");
    expect(statements(guard?.restore)).toEqual([
      expect.stringMatching(/^DO \$\$ BEGIN .*IF EXISTS \(.*authentik_before_upgrade'\) THEN ALTER .* END \$\$$/),
    ]);
    expect(statements(guard?.restore)[0]).not.toMatch(/DROP/);
    // A copy left by an earlier rollback is dropped only by the next save, so its presence shows that a rollback has
    // happened.
    expect(statements(guard?.save).find((statement) => statement.startsWith("DROP"))).toBe(
      'DROP DATABASE IF EXISTS "authentik_failed_upgrade"',
    );
    // Its owner may have made it a template, which cannot be dropped.
    expect(statements(guard?.save)[0]).toMatch(/ALTER DATABASE "authentik_failed_upgrade" IS_TEMPLATE false/);
    for (const argv of [guard?.save, guard?.restore]) expect(argv).toContain("--set=ON_ERROR_STOP=1");
  });

  test("ends other sessions only while it runs, and no longer than the shell that asks", () => {
    for (const argv of [authentik.guards?.[0]?.save, authentik.guards?.[0]?.restore]) {
      const [, , script = "", , ending] = argv ?? [];
      execFileSync("sh", ["-n"], { input: script });
      expect(ending).toMatch(
        /pg_terminate_backend.*'authentik', 'authentik_before_upgrade', 'authentik_failed_upgrade'/,
      );
      expect(script).toContain("while kill -0 $$");
      expect(script).toContain("trap 'kill $!' EXIT");
    }
  });

  test("has a probe below the base path of authentik", () => {
    expect(partsOfCase(ALONE).authentik.probes?.[0]?.http).toBe("http://127.0.0.1:9000/auth/-/health/ready/");
  });

  test("is healthy if authentik reports that it is ready, at the address that Caddy uses", () => {
    expect(authentik.probes?.[0]).toEqual({
      name: "authentik is ready",
      http: "http://127.0.0.1:9080/-/health/ready/",
    });
  });

  test("and if neither container exits again: the worker has no port, and could exit unnoticed", () => {
    expect(authentik.probes?.slice(1)).toEqual([
      { name: "authentik-server keeps running", unit: "authentik-server.service", seconds: 3 },
      { name: "authentik-worker keeps running", unit: "authentik-worker.service", seconds: 3 },
    ]);
  });

  test("gives its folders to the account only, and keeps the parent folder, in which root uses names", () => {
    const [home, data, media, ...folders] = authentik.directories ?? [];
    expect(home).toEqual({ path: "/var/lib/authentik", mode: "0750", owner: "root:authentik" });
    // Sticky: the account can write in both, but cannot put a symlink in place of media, which older versions mount.
    expect(data).toEqual({ path: "/var/lib/authentik/data", mode: "01770", owner: "root:authentik" });
    expect(media).toMatchObject({ path: "/var/lib/authentik/data/media", mode: "0770", owner: "root:authentik" });
    expect(folders).toHaveLength(2);
    for (const { mode, owner } of folders) expect([mode, owner]).toEqual(["0750", "authentik:authentik"]);
  });

  test.each(Object.keys(CASES))(
    "of case %s takes over uploads from the folder of earlier versions of the program",
    (name) => {
      const [, , media] = partsOfCase(name).authentik.directories ?? [];
      expect(media?.formerly).toBe("/var/lib/authentik/media");
    },
  );
});
