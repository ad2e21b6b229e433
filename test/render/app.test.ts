import { spawnSync } from "node:child_process";
import { describe, expect, test } from "vitest";
import { quadletOf, secretOf } from "../../components/app/names.ts";
import { servedManifest } from "../../components/app/site.ts";
import { debian } from "../../components/distribution/debian.ts";
import { APPS, partsOfApp } from "./apps.ts";
import { fileOf, section, values } from "./rendered.ts";

type Table = Record<string, string[] | undefined>;
const QUADLETS = "/etc/containers/systemd";
const file = (app: string, path: string) => fileOf(Object.values(partsOfApp(app)), path);
const quadlet = (app: string, name: string) => file(app, `${QUADLETS}/${name}`);

/** The file of every permanently running container, with its app. */
const LASTING: [app: string, file: string][] = [
  ["whoami", "app-whoami.container"],
  ["paperless", "app-paperless-web.container"],
  ["paperless", "app-paperless-worker.container"],
  ["grafana", "app-grafana.container"],
  ["pages", "app-pages.container"],
  ["wiki", "app-wiki.container"],
];
const JOBS: [app: string, file: string][] = [
  ["wiki", "app-wiki-export.container"],
  ["reports", "app-reports-weekly.container"],
];
/** The unit that starts an app: a single container, or the pod. */
const ROOTS: [app: string, file: string][] = [
  ["whoami", "app-whoami.container"],
  ["paperless", "app-paperless.pod"],
  ["grafana", "app-grafana.container"],
  ["pages", "app-pages.container"],
];

describe.each([...LASTING, ...JOBS])("of %s, %s", (app, name) => {
  const unit = quadlet(app, name);

  test("runs with the account's IDs from the start", () => {
    expect([values(unit, "User"), values(unit, "Group")]).toEqual([["975"], ["974"]]);
  });

  test("has no user namespace, in which the groups would be different", () => {
    expect(unit).not.toMatch(/UserNS|[UG]IDMap|Remap|userns|uidmap|keep-groups/i);
  });

  test("has no capability but those that were asked for, and opts out of no security", () => {
    expect([values(unit, "DropCapability"), values(unit, "NoNewPrivileges")]).toEqual([["all"], ["true"]]);
    const { containers = {} } = APPS[app] ?? {};
    const asked = Object.values(containers).flatMap(({ quadlet }) => (quadlet as Table)?.AddCapability ?? []);
    if (asked.length === 0) expect(unit).not.toContain("AddCapability");
    expect(unit).not.toMatch(/SecurityLabel|seccomp=|apparmor=|\bprivileged/i);
  });

  test("exits when asked to, whatever its image starts, and does not count as failed", () => {
    expect(values(unit, "RunInit")).toEqual(["true"]);
    expect(section(unit, "Service")).toContain(`SuccessExitStatus=${app === "pages" ? 130 : 143}`);
  });

  test("runs in /system.slice", () => {
    expect(section(unit, "Service")).toContain("Slice=system.slice");
  });

  test("does not depend on the unit of a database while running", () => {
    expect(unit).not.toMatch(/^(Requires|Requisite|BindsTo|PartOf|Upholds)=/m);
  });
});

test.each(LASTING)("of %s, %s is wanted by multi-user.target, and restarts by itself", (app, name) => {
  expect(section(quadlet(app, name), "Install")).toEqual(["WantedBy=multi-user.target"]);
  expect(values(quadlet(app, name), "Restart")).toEqual(["always"]);
});

describe.each(JOBS)("the job of %s, %s", (app, name) => {
  const unit = quadlet(app, name);
  const timer = name.replace(".container", ".timer");
  const file = (path: string) => fileOf(Object.values(partsOfApp(app)), path);
  const { files = [], units = [], probes = [] } = partsOfApp(app).app ?? {};

  test("runs to completion, and only its timer wants it", () => {
    expect(values(unit, "Type")).toEqual(["oneshot"]);
    expect(section(unit, "Install")).toEqual([]);
    expect(units.map(({ name }) => name)).not.toContain(name.replace(".container", ".service"));
  });

  test("is not started again if it fails, nor stopped if it takes long", () => {
    expect(unit).not.toMatch(/^(Restart|Timeout)/m);
  });

  test("is not in a pod, uses the app's network, and publishes nothing", () => {
    expect([values(unit, "Pod"), values(unit, "Network")]).toEqual([[], [`app-${app}.network`]]);
    expect(values(unit, "PublishPort")).toEqual([]);
  });

  test("has no probe: a failed run must not refuse an apply that may fix it", () => {
    expect(unit).not.toMatch(/Health|Notify/);
    expect(probes.map(({ unit }) => unit)).not.toContain(name.replace(".container", ".service"));
  });

  test("restarts nothing when it changes", () => {
    const own = name.replace(".container", "").replace(`app-${app}-`, "");
    const found = files.filter(({ path }) => path.endsWith(`/${name}`) || path.endsWith(`/${own}.env`));
    expect(found.length).toBeGreaterThan(0);
    for (const { path, restarts, reloads } of found) expect([path, restarts, reloads]).toEqual([path, [], undefined]);
  });

  test("has a timer, which is enabled, and active when the app is healthy", () => {
    expect(units).toContainEqual({ name: timer, enabled: true });
    expect(section(file(`/etc/systemd/system/${timer}`), "Install")).toEqual(["WantedBy=timers.target"]);
  });

  test("repeats a run that was missed while the host was down, and starts up to a minute late, always by the same delay", () => {
    const { length, ...lines } = section(file(`/etc/systemd/system/${timer}`), "Timer").slice(1);
    expect(Object.values(lines)).toEqual([
      "Persistent=true",
      "RandomizedDelaySec=60",
      "FixedRandomDelay=true",
      "AccuracySec=1",
    ]);
  });

  test("has a stamp that a new schedule resets, so that it starts by the clock and not by the change", () => {
    const schedule = values(file(`/etc/systemd/system/${timer}`), "OnCalendar")[0];
    expect(file(`/var/lib/systemd/timers/stamp-${timer}`)).toBe(`${schedule}\n`);
    for (const { restarts } of files.filter(({ path }) => path.endsWith(timer))) expect(restarts).toEqual([timer]);
  });
});

test("its schedule is checked by systemd itself before anything goes live", () => {
  expect(partsOfApp("wiki").app?.checks?.filter(({ tree }) => tree !== "/etc/caddy")).toEqual([
    {
      name: "schedule of export",
      tree: "/etc/systemd/system",
      exec: ["systemd-analyze", "calendar", "--", "Mon..Fri 03:30"],
    },
  ]);
});

test("one container and a job are not a pod; a job alone has neither container nor pod beside it", () => {
  const units = (app: string) => partsOfApp(app).app?.units?.map(({ name }) => name);
  expect(units("wiki")).toEqual([
    "app-wiki-network.service",
    "app-wiki.service",
    "app-wiki-export.timer",
    "run-apps-wiki.mount",
    "files-wiki.service",
  ]);
  expect(units("reports")).toEqual(["app-reports-network.service", "app-reports-weekly.timer"]);
});

describe("sockets", () => {
  test.each([
    ["whoami", "app-whoami.container", []],
    ["paperless", "app-paperless-web.container", ["--group-add=973"]],
    ["paperless", "app-paperless-worker.container", ["--group-add=973", "$DEVICE_GROUPS"]],
    ["grafana", "app-grafana.container", ["--group-add=987", "--group-add=973"]],
    ["pages", "app-pages.container", []],
    ["wiki", "app-wiki-export.container", ["--group-add=987"]],
    ["reports", "app-reports-weekly.container", []],
  ])("of %s: %s has exactly the requested groups, %j", (app, name, groups) => {
    expect(values(quadlet(app, name), "PodmanArgs")).toEqual(groups);
  });

  test.each([
    ["whoami", "app-whoami.container", []],
    ["paperless", "app-paperless-worker.container", ["/run/valkey-paperless:/run/valkey-paperless:ro"]],
    [
      "grafana",
      "app-grafana.container",
      ["/run/postgresql:/run/postgresql:ro", "/run/valkey-grafana:/run/valkey-grafana:ro"],
    ],
  ])("of %s: %s mounts exactly their directories read-only, %j", (app, name, mounts) => {
    const found = values(quadlet(app, name), "Volume").filter((mount) => mount.startsWith("/run/"));
    expect(found).toEqual(mounts);
  });

  test.each([
    ["whoami", "app-whoami.container", "network-online.target"],
    ["paperless", "app-paperless.pod", "network-online.target valkey-paperless.service"],
    ["grafana", "app-grafana.container", "network-online.target postgresql@17-main.service valkey-grafana.service"],
  ])("of %s: %s starts after the units that create them, %s", (app, name, units) => {
    const unit = quadlet(app, name);
    expect([values(unit, "Wants"), values(unit, "After")]).toEqual([[units], [units]]);
  });
});

describe("ports", () => {
  test.each([
    ["whoami", "app-whoami.container", ["127.0.0.1:9100:80"]],
    ["grafana", "app-grafana.container", ["127.0.0.1:9300:3000"]],
    ["pages", "app-pages.container", ["127.0.0.1:8080:8080"]],
  ])("of %s: %s publishes %j, on loopback only", (app, name, ports) => {
    expect(values(quadlet(app, name), "PublishPort")).toEqual(ports);
  });

  test("of a pod belong to the pod: Podman refuses them on its containers", () => {
    for (const name of ["web", "worker"])
      expect(quadlet("paperless", `app-paperless-${name}.container`)).not.toContain("PublishPort");
  });

  test("are published where they were asked for: by default on the loopback interface", () => {
    expect(values(quadlet("paperless", "app-paperless.pod"), "PublishPort")).toEqual([
      "127.0.0.1:8000:8000",
      "0.0.0.0:5300:53/udp",
      "192.0.2.10:389:389",
    ]);
    expect(partsOfApp("paperless").app?.listens).toEqual(["127.0.0.1:8000/tcp", "*:5300/udp", "192.0.2.10:389/tcp"]);
  });

  test("below 1024 need no capability in the container: the kernel permits it in that network only", () => {
    expect(values(quadlet("whoami", "app-whoami.container"), "Sysctl")).toEqual([
      "net.ipv4.ip_unprivileged_port_start=80",
    ]);
    expect(values(quadlet("paperless", "app-paperless.pod"), "PodmanArgs")).toContain(
      "--sysctl=net.ipv4.ip_unprivileged_port_start=53",
    );
    expect(quadlet("grafana", "app-grafana.container")).not.toContain("ip_unprivileged_port_start");
  });

  test("that are the health of a container are asked for where they are published", () => {
    expect(partsOfApp("wiki").app?.probes).toContainEqual({
      name: "web of wiki accepts connections",
      tcp: "127.0.0.1:8080",
    });
  });
});

describe.each(ROOTS)("the network of %s, on which %s is", (app, name) => {
  test("is separate, and closed to all others", () => {
    expect(values(quadlet(app, name), "Network")).toEqual([`app-${app}.network`]);
    expect(values(quadlet(app, `app-${app}.network`), "Options")).toEqual(["isolate=strict"]);
  });

  test("is removed with it", () => {
    expect(values(quadlet(app, `app-${app}.network`), "ExecStopPost")).toEqual([
      `-/usr/bin/podman network rm app-${app}`,
    ]);
    expect(partsOfApp(app).app?.units).toContainEqual({ name: `app-${app}-network.service` });
  });
});

describe("a pod", () => {
  test("contains both containers, which share its network and not /dev/shm", () => {
    for (const name of ["web", "worker"])
      expect(values(quadlet("paperless", `app-paperless-${name}.container`), "Pod")).toEqual(["app-paperless.pod"]);
    expect(values(quadlet("paperless", "app-paperless.pod"), "PodmanArgs")).toContain("--share=net,uts");
  });

  test("sets the size of /dev/shm for its containers; a single container sets it itself", () => {
    expect(values(quadlet("paperless", "app-paperless.pod"), "PodmanArgs")).toContain("--shm-size=1g");
    for (const name of ["web", "worker"])
      expect(quadlet("paperless", `app-paperless-${name}.container`)).not.toContain("ShmSize");
    expect(values(quadlet("grafana", "app-grafana.container"), "ShmSize")).toEqual(["256m"]);
    expect(values(quadlet("whoami", "app-whoami.container"), "ShmSize")).toEqual([]);
  });

  test("stays when its last container restarts, and has no groups: only containers have them", () => {
    const unit = quadlet("paperless", "app-paperless.pod");
    expect(values(unit, "PodmanArgs")).toContain("--exit-policy=continue");
    expect(unit).not.toMatch(/group-?add/i);
  });
});

describe("a container gets", () => {
  test("its command word by word, without interpretation by systemd or Quadlet", () => {
    expect(values(quadlet("whoami", "app-whoami.container"), "Exec")).toEqual([
      '"--name" "50%% of $$HOME" "say \\"yes\\""',
    ]);
    expect(values(quadlet("pages", "app-pages.container"), "Exec")).toEqual([]);
  });

  test("its variables in its own file, and no file if there are none", () => {
    expect(values(quadlet("whoami", "app-whoami.container"), "EnvironmentFile")).toEqual(["/etc/apps/whoami/web.env"]);
    expect(file("whoami", "/etc/apps/whoami/web.env")).toBe("LEVEL=debug\nWORKERS=2\nVERBOSE=true\n");
    expect(values(quadlet("pages", "app-pages.container"), "EnvironmentFile")).toEqual([]);
  });

  test("its configuration files, read-only, for its account; each restarts it, and no volume hides them", () => {
    const path = "/etc/apps/grafana/web/etc/grafana/ldap.toml";
    const config = partsOfApp("grafana").app?.files?.find((file) => file.path === path);
    expect(config).toMatchObject({ mode: "0440", owner: "root:grafana", restarts: ["app-grafana.service"] });
    expect(values(quadlet("grafana", "app-grafana.container"), "Volume")).toContain(
      `${path}:/etc/grafana/ldap.toml:ro`,
    );
  });

  test("its own secrets and no other container's, read-only, in the generation that it was created for", () => {
    const secrets = (name: string) =>
      values(quadlet("paperless", `app-paperless-${name}.container`), "Volume").filter((mount) =>
        mount.endsWith(":/run/secrets:ro"),
      );
    for (const name of ["web", "worker"])
      expect(secrets(name)).toEqual([`/var/lib/gatehouse/secrets/app-paperless-secrets/2/${name}:/run/secrets:ro`]);
    expect(partsOfApp("paperless").app?.refers).toEqual(["/var/lib/gatehouse/secrets/app-paperless-secrets/2"]);
    const folder = "/var/lib/gatehouse/secrets/app-paperless-secrets/{generation}";
    expect(partsOfApp("paperless").secrets?.files).toMatchObject([
      ...["web", "worker"].map((name) => ({ path: `${folder}/${name}/key`, mode: "0440", owner: "root:paperless" })),
      // Root alone reads a variable, and passes it on to Podman.
      { path: `${folder}/worker.environment/SMTP_PASSWORD`, mode: "0440", owner: "root:root" },
    ]);
  });

  test("its volumes, which containers of one app may share, for the account only", () => {
    expect(values(quadlet("paperless", "app-paperless-web.container"), "Volume")).toContain(
      "/var/lib/apps/paperless/media:/srv/media",
    );
    expect(values(quadlet("paperless", "app-paperless-worker.container"), "Volume")).toContain(
      "/var/lib/apps/paperless/media:/srv/media",
    );
    expect(partsOfApp("paperless").app?.directories).toEqual([
      { path: "/var/lib/apps", mode: "0711", owner: "root:root" },
      { path: "/var/lib/apps/paperless", mode: "0750", owner: "root:paperless" },
      ...["media", "queue"].map((folder) => ({
        path: `/var/lib/apps/paperless/${folder}`,
        mode: "0750",
        owner: "paperless:paperless",
      })),
    ]);
  });
});

describe("the keys of a Quadlet", () => {
  const unit = quadlet("paperless", "app-paperless-worker.container");

  test("that concern the network of a pod are the pod's, and others the container's", () => {
    expect(values(unit, "Sysctl")).toEqual(["kernel.shmmax=1073741824"]);
    expect(values(quadlet("paperless", "app-paperless.pod"), "PodmanArgs")).toContain(
      '"--sysctl=net.core.somaxconn=1024"',
    );
  });

  test("open what they name, and nothing else", () => {
    expect(values(unit, "AddCapability")).toEqual(["NET_RAW", "CAP_SYS_NICE"]);
    expect(values(unit, "AddDevice")).toEqual(["/dev/dri/renderD128"]);
    expect(unit).toContain("find -L /dev/dri/renderD128 -type b,c");
    expect(values(unit, "EnvironmentFile").at(-1)).toBe("-/run/app-paperless-worker.devices");
    expect(quadlet("paperless", "app-paperless-web.container")).not.toContain("DEVICE_GROUPS");
  });

  test("give a container more time to end than systemd does by default", () => {
    expect(values(unit, "TimeoutStopSec")).toEqual(["330"]);
    expect(values(quadlet("whoami", "app-whoami.container"), "TimeoutStopSec")).toEqual([]);
  });
});

describe("a directory of the host", () => {
  const unit = quadlet("paperless", "app-paperless-worker.container");
  const { borrowed, data, directories = [] } = partsOfApp("paperless").app ?? {};

  test("is mounted as it is: no directory of the release, so that nothing changes its owner and mode", () => {
    expect(values(unit, "Volume")).toContain("/mnt/photos:/photos:ro");
    expect(directories.map(({ path }) => path)).not.toContain("/mnt/photos");
    expect(borrowed).toEqual([
      { path: "/mnt/photos", readonly: true },
      { path: "/etc/localtime", readonly: true },
    ]);
  });

  test("is awaited by the container that uses it", () => {
    expect(values(unit, "RequiresMountsFor")).toEqual(["/mnt/photos", "/etc/localtime"]);
    expect(values(quadlet("paperless", "app-paperless-web.container"), "RequiresMountsFor")).toEqual([]);
  });

  test("is in the backup only if that was asked for", () => {
    expect(data).toEqual([
      { name: "volumes", path: "/var/lib/apps/paperless" },
      { name: expect.stringMatching(/^host-mnt-photos-[0-9a-f]{8}$/), path: "/mnt/photos", borrowed: true },
    ]);
  });
});

describe("the health of a container", () => {
  test("with a command is reported by Podman, which delays the unit until then", () => {
    const unit = quadlet("paperless", "app-paperless-web.container");
    expect(values(unit, "HealthCmd")).toEqual([String.raw`["check","--say","it is \"well\""]`]);
    expect(values(unit, "Notify")).toEqual(["healthy"]);
  });

  test("is checked each second while it starts, and less often if the start may take minutes", () => {
    const interval = (app: string, name: string) => values(quadlet(app, name), "HealthStartupInterval");
    expect(interval("pages", "app-pages.container")).toEqual(["1s"]);
    expect(interval("paperless", "app-paperless-web.container"), "with a deadline of 600 seconds").toEqual(["3s"]);
  });

  test("over HTTP is checked from the host, because an image may not have a client", () => {
    expect(quadlet("whoami", "app-whoami.container")).not.toMatch(/Health|Notify/);
    expect(partsOfApp("whoami").app?.probes).toEqual([
      { name: "web of whoami is healthy", http: "http://127.0.0.1:9100/health" },
    ]);
  });

  test("otherwise means that it keeps running", () => {
    expect(partsOfApp("pages").app?.probes).toEqual([
      { name: "web of pages keeps running", unit: "app-pages.service", seconds: 3 },
    ]);
  });
});

test.each(ROOTS)("any change of %s restarts exactly what belongs to %s", (app, name) => {
  const unit = name.replace(".container", ".service").replace(".pod", "-pod.service");
  const files = partsOfApp(app).app?.files?.filter(({ path }) => !path.endsWith(".caddy")) ?? [];
  for (const { path, restarts } of files)
    expect([path, restarts]).toEqual([path, path.endsWith(".network") ? [`app-${app}-network.service`, unit] : [unit]]);
  expect(files.flatMap(({ reloads = [] }) => reloads)).toEqual([]);
});

describe("its database", () => {
  const manifest = partsOfApp("grafana").postgres;

  test("is opened to its role only, by peer authentication, with its own file and a reload", () => {
    expect(file("grafana", "/etc/postgresql/17/main/hba.d/app-grafana.conf")).toBe('local "metrics" "grafana" peer\n');
    expect(manifest?.files?.map(({ reloads, restarts }) => [reloads, restarts])).toEqual([
      [["postgresql@17-main.service"], undefined],
    ]);
  });

  test("is created by an idempotent step that drops nothing", () => {
    const [step] = manifest?.steps ?? [];
    expect(step?.user).toBe("postgres");
    expect(step?.stdin).toContain('REVOKE ALL ON DATABASE "metrics" FROM PUBLIC;');
    expect(step?.stdin).not.toMatch(/DROP|DELETE|TRUNCATE/i);
    expect(step?.stdin, "and takes nothing over").not.toMatch(/ALTER (?!ROLE %I CONNECTION LIMIT)|GRANT/i);
  });

  test("gives its role the configured number of connections, or half of the server's", () => {
    const limits = /CONNECTION LIMIT %s', E'(\w+)', (.*)\) \\gexec/;
    expect(limits.exec(manifest?.steps?.[0]?.stdin ?? "")?.slice(1)).toEqual(["grafana", "30"]);
    expect(limits.exec(partsOfApp("wiki").postgres?.steps?.[0]?.stdin ?? "")?.slice(1)).toEqual([
      "wiki",
      "(current_setting('max_connections')::int + 1) / 2",
    ]);
  });

  test("is healthy once the app itself can log in", () => {
    expect(manifest?.probes).toMatchObject([{ user: "grafana", through: "postgresql@17-main.service" }]);
    expect(manifest?.probes?.[0]?.exec).toContain("--dbname=metrics");
  });

  test("is copied before a running container gets another image, while it is stopped; a job's image does not count", () => {
    const [guard] = partsOfApp("grafana").app?.guards ?? [];
    expect(guard?.units).toEqual(["app-grafana.service"]);
    expect(guard?.images?.map((reference) => ({ reference }))).toEqual(partsOfApp("grafana").app?.images);
    expect(guard?.save).toContain(
      'CREATE DATABASE "metrics_before_upgrade" TEMPLATE "metrics" OWNER "grafana" STRATEGY file_copy',
    );
    const [beside] = partsOfApp("wiki").app?.guards ?? [];
    expect(beside?.images).toEqual(["docker.io/library/wiki:3.1"]);
    expect(beside?.units, "and no job writes in the meantime").toEqual(["app-wiki.service", "app-wiki-export.timer"]);
    expect(partsOfApp("wiki").app?.images).toHaveLength(2);
    expect(partsOfApp("paperless").app?.guards, "no database").toEqual([]);
  });

  test("is dropped with its copies and its role when the app is purged", () => {
    const [data] = manifest?.data ?? [];
    expect(data).toMatchObject({ name: "database", user: "postgres" });
    expect(data && "save" in data ? data.save.slice(3) : []).toEqual([
      "sh",
      "metrics",
      "metrics_before_upgrade",
      "metrics_failed_upgrade",
    ]);
    const statements = (data && "drop" in data ? data.drop : []).filter((word) => /DROP/.test(word));
    expect(statements).toEqual([
      'DROP DATABASE IF EXISTS "metrics" WITH (FORCE)',
      'DROP DATABASE IF EXISTS "metrics_before_upgrade" WITH (FORCE)',
      'DROP DATABASE IF EXISTS "metrics_failed_upgrade" WITH (FORCE)',
      expect.stringMatching(
        /^DO .* DROP ROLE IF EXISTS "grafana"; EXCEPTION WHEN dependent_objects_still_exist THEN NULL/,
      ),
    ]);
  });
});

describe("its Valkey", () => {
  const unit = file("grafana", "/etc/systemd/system/valkey-grafana.service");
  const conf = file("grafana", "/etc/apps/grafana/valkey.conf");

  test("listens on its socket and on no port", () => {
    expect(conf).toContain("port 0\nunixsocket /run/valkey-grafana/valkey.sock\nunixsocketperm 770\n");
    expect(values(unit, "RestrictAddressFamilies")).toEqual(["AF_UNIX"]);
  });

  test("runs with its own account, and the app is in its group", () => {
    expect([values(unit, "User"), values(unit, "Group")]).toEqual([["grafana-valkey"], ["grafana-valkey"]]);
    const folder = (verb: string) =>
      `+/usr/local/libexec/gatehouse/valkey-grafana-socket-folder ${verb} /run/valkey-grafana grafana-valkey:grafana-valkey`;
    expect(values(unit, "ExecStartPre")).toEqual([folder("close")]);
    expect(values(unit, "ExecStartPost")).toEqual([`${folder("open")} valkey.sock`]);
    expect(values(unit, "RuntimeDirectory")).toEqual([]);
    expect(partsOfApp("grafana").valkey?.probes).toMatchObject([{ user: "grafana" }]);
  });

  test("keeps its data where nothing else has access, not even the app", () => {
    expect(values(unit, "ExecStart").join()).toContain(" --dir /var/lib/apps/grafana-valkey ");
    expect(partsOfApp("grafana").valkey?.directories).toEqual([
      { path: "/var/lib/apps", mode: "0711", owner: "root:root" },
      { path: "/var/lib/apps/grafana-valkey", mode: "0700", owner: "grafana-valkey:grafana-valkey" },
    ]);
    expect(values(unit, "ReadWritePaths")).toEqual(["/var/lib/apps/grafana-valkey -/run/valkey-grafana"]);
  });

  test("lets the app run all data commands, and of the server commands only a snapshot and a pause", () => {
    expect(conf).toContain("user default on nopass ~* &* +@all -@admin +save +client|pause +client|unpause\n");
  });

  test("writes its snapshot before its folder is backed up, with a valid shell script, and only if it runs", () => {
    const [folder] = partsOfApp("grafana").valkey?.data ?? [];
    const [sh, option, script = ""] = folder && "before" in folder ? (folder.before ?? []) : [];
    expect([sh, option]).toEqual(["sh", "-c"]);
    expect(script).toMatch(/^systemctl is-active --quiet valkey-grafana\.service \|\| exit 0$/m);
    expect(script).toContain("valkey-cli -s /run/valkey-grafana/valkey.sock save");
    expect(spawnSync("sh", ["-n"], { input: script, encoding: "utf8" })).toMatchObject({ status: 0, stderr: "" });
  });

  test("has the configured memory limit, or none", () => {
    expect(conf).toContain("maxmemory 64mb\n");
    expect(file("paperless", "/etc/apps/paperless/valkey.conf")).not.toContain("maxmemory");
  });

  test("denies what the platform's own denies, and more", () => {
    for (const line of ["ProtectSystem=strict", "ProcSubset=pid", "PrivateMounts=true", "SystemCallErrorNumber=EPERM"])
      expect(section(unit, "Service")).toContain(line);
  });
});

describe("a site of files", () => {
  const site = (app: string) => file(app, `/etc/caddy/sites/app-${app}.caddy`);
  const folders = (app: string) => partsOfApp(app).app?.directories?.map(({ path, mode }) => [path, mode]);
  const mount = (app: string) => file(app, `/etc/systemd/system/run-apps-${app}.mount`);

  test("is served by a separate process, without dotfiles and without directory listings", () => {
    expect(file("press", "/etc/apps/press/files.caddy")).toBe(
      "{\n\tadmin off\n\tauto_https off\n}\n\nhttp:// {\n\tbind unix//run/files-press/caddy.sock\n\troot * /run/apps/press\n\tfile_server {\n\t\thide .*\n\t}\n}\n",
    );
    expect(site("press")).not.toContain("file_server");
    expect(site("press")).toContain("\treverse_proxy unix//run/files-press/caddy.sock {\n");
  });

  test("is served by a user who may read it and do nothing else", () => {
    const service = section(file("press", "/etc/systemd/system/files-press.service"), "Service");
    for (const line of ["DynamicUser=true", "User=files_press", "Group=caddy", "UMask=0077", "PrivateNetwork=true"])
      expect(service).toContain(line);
    for (const line of [
      "Restart=always",
      "LimitNPROC=64",
      "CapabilityBoundingSet=",
      "InaccessiblePaths=-/var/lib/caddy -/run/caddy",
    ])
      expect(service).toContain(line);
    expect(section(file("press", "/etc/systemd/system/files-press.service"), "Unit")).toContain(
      "StartLimitIntervalSec=0",
    );
  });

  test("accepts further directives; a site with a port is still proxied", () => {
    expect(site("wiki")).toMatch(/\n\t\t\tencode gzip\n\t\t}\n\t}\n}\n$/);
    expect(site("wiki")).toContain("\n\t\t\troot * /run/apps/wiki\n");
    expect(site("grafana")).toContain("\n\t\t\treverse_proxy 127.0.0.1:9300 {\n");
    expect(site("grafana")).not.toContain("file_server");
  });

  test("is readable for everybody where Caddy finds it; in the home it is as closed as its siblings", () => {
    expect(folders("wiki")).toEqual([
      ["/var/lib/apps", "0711"],
      ["/var/lib/apps/wiki", "0750"],
      ["/var/lib/apps/wiki/pages", "0750"],
      ["/var/lib/apps/wiki/public", "0755"],
    ]);
    expect(folders("press")).toEqual([
      ["/var/lib/apps", "0711"],
      ["/var/lib/apps/press", "0750"],
      ["/var/lib/apps/press/public", "0755"],
    ]);
  });

  test("does not follow symlinks, with which an app could publish files that only Caddy may read", () => {
    for (const app of ["wiki", "press"]) {
      expect(values(mount(app), "Options")).toEqual(["bind,nosymfollow"]);
      expect(values(mount(app), "What")).toEqual([`/var/lib/apps/${app}/public`]);
      expect(values(mount(app), "Where")).toEqual([`/run/apps/${app}`]);
      expect(partsOfApp(app).app?.units).toContainEqual({ name: `run-apps-${app}.mount`, enabled: true });
    }
  });

  test("exists from the start, before Caddy, and is removed even while in use", () => {
    expect(section(mount("press"), "Install")).toEqual(["WantedBy=local-fs.target"]);
    expect(values(mount("press"), "LazyUnmount")).toEqual(["true"]);
  });

  test("has a unit named after its path, as systemd requires", () => {
    const { units } = servedManifest(debian.caddy, "press-kit", "my-files");
    expect(units).toContainEqual({ name: String.raw`run-apps-press\x2dkit.mount`, enabled: true });
  });

  test("restarts only its mount, even if a container has the folder as a volume", () => {
    expect(partsOfApp("wiki").app?.files?.find(({ path }) => path.endsWith(".mount"))?.restarts).toEqual([
      "run-apps-wiki.mount",
    ]);
  });

  test("is mounted again if its folder changes, by a shell command that quotes the unit's name", () => {
    const { steps, probes } = servedManifest(debian.caddy, "press-kit", "my-files");
    const same = "[ /var/lib/apps/press-kit/my-files -ef /run/apps/press-kit ]";
    const again = String.raw`systemctl restart 'run-apps-press\x2dkit.mount'`;
    expect(steps.map(({ exec }) => exec)).toEqual([["sh", "-c", `${same} || ${again}`]]);
    expect(probes[0]).toMatchObject({ exec: ["sh", "-c", same] });
    expect(spawnSync("sh", ["-n"], { input: steps[0]?.exec[2], encoding: "utf8" })).toMatchObject({ status: 0 });
  });

  test("is all of an app without a container: no network, no image, no probe", () => {
    const { files, images, probes, units } = partsOfApp("press").app ?? {};
    expect([files?.length, images, probes?.map(({ name }) => name), units?.length]).toEqual([
      4,
      [],
      ["Caddy finds /var/lib/apps/press/public", "files of press are served", "press.example.org completes TLS"],
      2,
    ]);
  });
});

describe("its site", () => {
  const { files, checks, probes } = partsOfApp("grafana").app ?? {};

  test("is a fragment beside the platform's, checked together with all of them and loaded by a reload", () => {
    const fragment = files?.find(({ path }) => path === "/etc/caddy/sites/app-grafana.caddy");
    expect([fragment?.reloads, fragment?.restarts]).toEqual([["caddy.service"], undefined]);
    expect(checks).toMatchObject([{ tree: "/etc/caddy", user: "caddy" }]);
  });

  test("is loaded by Caddy once the containers are healthy, and they do not wait for it", () => {
    expect(probes?.map(({ name, through }) => [name, through])).toEqual([
      ["web of grafana keeps running", undefined],
      ["grafana.example.org completes TLS", "caddy.service"],
    ]);
  });

  test("leaves nothing of Caddy in an app without one", () => {
    const { files = [], checks, probes = [] } = partsOfApp("pages").app ?? {};
    expect(files.filter(({ reloads }) => reloads)).toEqual([]);
    expect([checks, probes.filter(({ through }) => through)]).toEqual([[], []]);
  });
});

test("no secret is in any file except the secret files", () => {
  for (const app of Object.keys(APPS)) {
    const { secrets, ...open } = partsOfApp(app);
    for (const { content } of secrets?.files ?? []) expect(JSON.stringify(open)).not.toContain(content);
  }
});

test("two apps never share a secret in Podman, even if their quadlets have the same name", () => {
  const [one, other] = [
    ["wiki", "web-a"],
    ["wiki-web", "a"],
  ] as const;
  expect(quadletOf(...one)).toBe(quadletOf(...other));
  expect(secretOf(...one, "KEY")).not.toBe(secretOf(...other, "KEY"));
});
