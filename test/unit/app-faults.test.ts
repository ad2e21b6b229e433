import * as pulumi from "@pulumi/pulumi";
import { describe, expect, test } from "vitest";
import { appSettings } from "../../components/app/schema.ts";

const web = { image: "docker.io/library/web:1.2", port: 8080 };
const job = { image: web.image, schedule: "daily" };
const NO_JOB = "is not allowed together with schedule: a job has no port and no health check";
const DIGEST = `@sha256:${"0".repeat(64)}`;

/** The reported faults, one sentence each; empty if there are none. */
function faults(given: object, name = "wiki"): string[] {
  try {
    appSettings(name, { containers: { web }, ...given });
    return [];
  } catch (error) {
    const [first, ...lines] = (error as Error).message.split("\n");
    expect(first).toBe(`App ${name} is invalid; nothing was changed:`);
    return lines.map((line) => line.trim());
  }
}
const container = (more: object) => faults({ containers: { web: { ...web, ...more } } });

test("the minimum of an app is a container with its image", () => {
  expect(appSettings("wiki", { containers: { web: { image: web.image } } }).shape).toEqual({
    containers: {
      web: {
        image: web.image,
        command: [],
        environment: {},
        files: {},
        secrets: {},
        secretEnvironment: {},
        volumes: {},
        ports: [],
        quadlet: {},
      },
    },
    deadline: 120,
    purge: false,
  });
});

describe("a name", () => {
  test.each([
    ["postgres", "postgres is an account of the system or the platform; choose another name"],
    ["root", "root is an account of the system or the platform; choose another name"],
    ["systemd-network", "systemd-network is an account of the system or the platform; choose another name"],
    [
      "wiki-valkey",
      "wiki-valkey has an ending that is reserved for the parts of an app (secrets, postgres, valkey); choose another name",
    ],
    ["a".repeat(25), `expected at most 24 characters, got "${"a".repeat(25)}"`],
    ["Wiki", 'expected a name of lower-case letters, digits and -, at most 31 long, got "Wiki"'],
  ])("such as %s is refused", (name, reported) => {
    expect(faults({}, name)).toEqual([`name: ${reported}`]);
  });

  test.each(["wiki", "valkey-ui", "a".repeat(24)])("such as %s is accepted", (name) => {
    expect(faults({}, name)).toEqual([]);
  });
});

describe("the size of /dev/shm", () => {
  test.each(["", "0m", "64", "1.5g", "1t", "64m --privileged"])("%j is refused", (shmSize) => {
    expect(faults({ containers: { web }, shmSize })).toEqual([
      `shmSize: expected a size such as 512m or 1g, got ${JSON.stringify(shmSize)}`,
    ]);
  });

  test.each(["64m", "1gb"])("%s is accepted", (shmSize) => {
    expect(faults({ containers: { web }, shmSize })).toEqual([]);
  });
});

test("a command carries what a shell or a unit file would interpret", () => {
  expect(container({ command: ["sh", "-c", "a; b && c | d > e", ";", "$HOME 50% \\ \"x\" 'y'", "é"] })).toEqual([]);
});

test("no key of a Quadlet reaches a container: unknown settings are refused", () => {
  expect(container({ AddHost: "mail:192.0.2.7" })).toEqual(["containers.web.AddHost: unknown key"]);
  expect(container({ container: { HostName: "web" } })).toEqual(["containers.web.container: unknown key"]);
});

describe("an image", () => {
  test.each(["web:1", "library/web:1", "docker.io/library/Web:1", "docker.io/web:1 --privileged"])(
    "such as %s is refused: not a reference with its registry",
    (image) => {
      expect(container({ image })).toEqual([
        `containers.web.image: expected an image with its registry such as docker.io/grafana/grafana:12.3.0, got "${image}"`,
      ]);
    },
  );

  test.each(["docker.io/library/web", "docker.io/library/web:latest", "registry:5000/web"])(
    "such as %s is refused: it is a moving tag",
    (image) => {
      expect(container({ image })).toEqual([
        `containers.web.image: ${image} is a moving tag: use a version or a digest`,
      ]);
    },
  );

  test.each([
    "docker.io/library/web:1.2",
    `docker.io/library/web${DIGEST}`,
    `docker.io/library/web:latest${DIGEST}`,
    "localhost:5000/web:1",
    "localhost/web:1",
    "registry:5000/team/web:1",
  ])("such as %s is accepted", (image) => {
    expect(container({ image })).toEqual([]);
  });
});

test.each([
  [
    { volumes: { data: "data" } },
    'volumes.data: expected a folder in the container such as /var/lib/grafana, got "data"',
  ],
  [
    { volumes: { "/a/../b": "data" } },
    'volumes./a/../b: expected a folder in the container such as /var/lib/grafana, got "/a/../b"',
  ],
  [
    { volumes: { "/a": "../b" } },
    'volumes./a: expected a name of lower-case letters, digits and -, at most 31 long, got "../b"',
  ],
  [
    { volumes: { "/a": { host: "photos" } } },
    'volumes./a.host: expected a directory or file of the host such as /mnt/photos, without spaces, . and .., got "photos"',
  ],
  [
    { volumes: { "/a": { host: "/srv/../etc" } } },
    'volumes./a.host: expected a directory or file of the host such as /mnt/photos, without spaces, . and .., got "/srv/../etc"',
  ],
  [{ volumes: { "/a": { host: "/srv", readonly: true } } }, "volumes./a.readonly: unknown key"],
  [
    { volumes: { "/a": { host: "/var/lib/apps/wiki/data" } } },
    "volumes./a.host: /var/lib/apps/wiki/data is a directory of apps: use the name of the directory without its path",
  ],
  [
    { volumes: { "/a": { host: "/dev/dri" } } },
    "volumes./a.host: /dev/dri contains devices, which are no volumes: use the key AddDevice of quadlet",
  ],
  [
    { volumes: { "/a": { host: "/srv/a", backup: true }, "/b": { host: "/srv/a/b", backup: true } } },
    "volumes./b.backup: /srv/a, which contains /srv/a/b, is in the backup: remove one",
  ],
  [{ volumes: { "/a": { host: "/proc" } } }, "volumes./a: is a file system of the kernel: set readOnly"],
  [
    { files: { "grafana.ini": "x" } },
    'files.grafana.ini: expected a file in the container such as /etc/grafana/grafana.ini, got "grafana.ini"',
  ],
  [
    { volumes: { "/srv/data": "data" }, files: { "/srv/data/app.ini": "x", "/srv/data.ini": "x" } },
    "files./srv/data/app.ini: is inside the volume /srv/data",
  ],
  [
    { environment: { KEY: "a" }, secretEnvironment: { KEY: "b" } },
    "secretEnvironment.KEY: is set in environment too; remove one",
  ],
  [{ secretEnvironment: { "A-B": "b" } }, 'secretEnvironment.A-B: expected the name of a variable, got "A-B"'],
  [
    { secretEnvironment: { KEY: "secret\0" } },
    "secretEnvironment.KEY: contains a NUL character, so it is not text: put a binary file into the image or a volume, or encode it, such as with base64",
  ],
  [
    { quadlet: { Network: "host" } },
    'quadlet.Network: expected one of AddCapability, AddDevice, AddHost, Annotation, DNS, DNSOption, DNSSearch, Entrypoint, HostName, Label, LogDriver, LogOpt, PidsLimit, ReadOnly, ReadOnlyTmpfs, RunInit, StopSignal, StopTimeout, Sysctl, Timezone, Tmpfs, Ulimit, WorkingDir, got "Network"',
  ],
  [
    { quadlet: { AddHost: ["mail"] } },
    'quadlet.AddHost: expected a name and an address such as mail.lan:192.0.2.7, got "mail"',
  ],
  [
    { quadlet: { Label: "a\nUser=0" } },
    'quadlet.Label: "a\\nUser=0" cannot be written into a unit file: it contains a line break or another control character',
  ],
  [
    { volumes: { "/srv": "data" }, quadlet: { Tmpfs: "/srv/:size=1m" } },
    "quadlet.Tmpfs: /srv/:size=1m would hide a mount that the container already has; use another path than /srv",
  ],
  [
    { quadlet: { Tmpfs: ["/tmp", "/run/secrets"] } },
    "quadlet.Tmpfs: /run/secrets would hide a mount that the container already has; use another path than /run/secrets",
  ],
  [
    { quadlet: { Sysctl: ["net.core.somaxconn=1024", "vm.swappiness=1"] } },
    'quadlet.Sysctl: expected a parameter below net. or fs.mqueue., kernel.shm*, kernel.msg* or kernel.sem, such as net.core.somaxconn=1024, got "vm.swappiness=1"',
  ],
  [
    { quadlet: { AddCapability: "ALL" } },
    'quadlet.AddCapability: expected one capability such as NET_RAW; a list for several, got "ALL"',
  ],
  [
    { quadlet: { AddDevice: "/dev/../etc" } },
    'quadlet.AddDevice: expected a device of the host such as /dev/dri/renderD128 or /dev/ttyUSB0:/dev/modem:rw, got "/dev/../etc"',
  ],
  [
    { quadlet: { StopSignal: "SIGNOW" } },
    'quadlet.StopSignal: expected one of HUP, INT, QUIT, KILL, USR1, USR2, TERM, WINCH, with or without SIG, or a number, got "SIGNOW"',
  ],
  [{ quadlet: { StopTimeout: "2m" } }, 'quadlet.StopTimeout: expected a whole number of seconds, got "2m"'],
  [{ ports: [{ port: 0 }] }, "ports.0.port: expected a port from 1 to 65535, got 0"],
  [{ ports: [{ port: 53, protocol: "sctp" }] }, 'ports.0.protocol: expected one of tcp, udp, got "sctp"'],
  [
    { ports: [{ port: 53, address: "eth0" }] },
    'ports.0.address: expected an IPv4 address of the host, or * for all of them, got "eth0"',
  ],
  [
    {
      ports: [
        { port: 53, address: "*" },
        { port: 5353, publish: 53, address: "192.0.2.10" },
      ],
    },
    "ports.1: web already publishes 192.0.2.10:53/tcp",
  ],
  [
    { ports: [{ port: 53, protocol: "udp" }], health: { tcp: 53 } },
    "health.tcp: the container publishes no TCP port 53",
  ],
  [{ memory: "lots" }, 'memory: expected a size such as 512m or 1g, got "lots"'],
  [{ cpus: 0 }, "cpus: expected at least 0.01 processors, got 0"],
  [
    { files: { "/etc/a.p12": "secret\0" } },
    "files./etc/a.p12: contains a NUL character, so it is not text: put a binary file into the image or a volume, or encode it, such as with base64",
  ],
  [
    { secrets: { key: "secret\0" } },
    "secrets.key: contains a NUL character, so it is not text: put a binary file into the image or a volume, or encode it, such as with base64",
  ],
  [
    { files: { "/etc/a": "half of \ud83d" } },
    "files./etc/a: is not valid Unicode: put a binary file into the image or a volume, or encode it, such as with base64",
  ],
  [{ secrets: { "../a": "x" } }, 'secrets.../a: expected a file name of letters, digits, _, . and -, got "../a"'],
  [{ environment: { "A B": "x" } }, 'environment.A B: expected the name of a variable, got "A B"'],
  [{ health: "curl" }, 'health: expected a command as a list of words, { http: "/path" } or { tcp: 22 }, got "curl"'],
  [{ privileged: true }, "privileged: unknown key"],
  [
    { command: ["sh", "-c", "one\ntwo"] },
    'command.2: "one\\ntwo" cannot be written into a unit file: it contains a line break or another control character',
  ],
  [{ command: [""] }, "command.0: expected a word, got an empty string"],
  [
    { environment: { MOTD: "a\nb" } },
    'environment.MOTD: "a\\nb" cannot be written into an env file: it contains a line break or another control character',
  ],
  [
    { health: ["\ufffe"] },
    `health: "[\\"\ufffe\\"]" cannot be written into a unit file: it contains a code point that is not a character`,
  ],
  [{ publish: 99999 }, "publish: expected a port from 1 to 65535, got 99999"],
  [{ port: undefined, health: { http: "/" } }, "health: uses HTTP and requires port"],
  [{ port: 80 }, "port: 80 is a port of the system on the host: set publish to another one, such as 8080"],
  [{ port: undefined, publish: 80 }, "publish: has no effect without port, the port inside the container"],
])("of a container, %j is refused", (more, reported) => {
  expect(container(more)).toEqual([`containers.web.${reported}`]);
});

test.each([
  [{ containers: {} }, "containers: an app needs at least one container, or a site with files"],
  [
    { containers: { "b-pod": web } },
    "containers.b-pod: b-pod is the name of a unit that Podman generates; choose another name",
  ],
  [{ containers: { web, job: { ...job, port: 8081 } } }, `containers.job.port: ${NO_JOB}`],
  [{ containers: { web, job: { ...job, publish: 8081 } } }, `containers.job.publish: ${NO_JOB}`],
  [{ containers: { web, job: { ...job, health: ["true"] } } }, `containers.job.health: ${NO_JOB}`],
  [{ site: { domain: "wiki.example.org" } }, "site: expected exactly one of port and files, got neither"],
  [
    { site: { domain: "wiki.example.org", port: 8080, files: "public" } },
    "site: expected exactly one of port and files, got both",
  ],
  [
    { site: { domain: "wiki.example.org", files: "../public" } },
    'site.files: expected a name of lower-case letters, digits and -, at most 31 long, got "../public"',
  ],
  [
    { site: { domain: "wiki.example.org", port: 8080, directives: "handle {\n}\n}\nother.example.org {" } },
    "site.directives: line 3: this } closes the site itself, because there is no matching { before it; remove it",
  ],
  [
    { containers: { job }, site: { domain: "wiki.example.org", port: 8080 } },
    "site.port: no container publishes 8080; published are none",
  ],
  [
    { containers: { pod: web } },
    "containers.pod: pod is the name of a unit that Podman generates; choose another name",
  ],
  [{ containers: { web, api: { ...web, publish: 8081 } } }, "containers.api.port: web already listens on 8080"],
  [
    { containers: { web, api: { ...web, port: 8081, publish: 8080 } } },
    "containers.api.publish: web already publishes 8080",
  ],
  [{ site: { domain: "wiki.example.org", port: 81 } }, "site.port: no container publishes 81; published are 8080"],
  [{ valkey: { maxmemory: "lots" } }, 'valkey.maxmemory: expected a size such as 64mb, got "lots"'],
])("of an app, %j is refused", (given, reported) => {
  expect(faults(given)).toEqual([reported]);
});

test.each([
  [{ containers: { job } }],
  [{ containers: { web, job, other: job } }],
  [{ containers: {}, site: { domain: "wiki.example.org", files: "public" } }],
  [{ containers: undefined, site: { domain: "wiki.example.org", files: "public" } }],
  [{ containers: { web, job }, site: { domain: "wiki.example.org", files: "public" } }],
  [{ site: { domain: "wiki.example.org", port: 8080, directives: "handle /a {\n  header X {uri}\n}" } }],
])("of an app, %j is accepted", (given) => {
  expect(faults(given)).toEqual([]);
});

describe("a schedule", () => {
  test.each(["0 3 * * *", "@daily", "every day at noon, please", "", " daily", "daily\nPersistent=false", "50%"])(
    "such as %j is refused early",
    (schedule) => {
      expect(faults({ containers: { job: { ...job, schedule } } })).toEqual([
        `containers.job.schedule: expected a systemd calendar expression such as daily, Mon..Fri 03:30 or *-*-01 04:00:00, got ${JSON.stringify(schedule)}`,
      ]);
    },
  );

  test.each([
    "daily",
    "*:0/5",
    "*:*:0/5",
    "Mon..Fri *-*-* 03:30:00 Europe/Berlin",
    "Sat,Sun 12..14:10,20,30:00",
    "*-02~03 05:00:00.5 Etc/GMT+1",
  ])("such as %j is accepted, and checked by systemd on the host", (schedule) => {
    expect(faults({ containers: { job: { ...job, schedule } } })).toEqual([]);
  });
});

test("all faults are reported together", () => {
  const given = { containers: { web: { image: "web" } }, deadline: 1, site: { domain: "x", port: 8080 } };
  expect(faults(given, "root")).toHaveLength(5);
});

test("what does not fit together is reported beside invalid values, and what depends on those is not", () => {
  const given = {
    nope: 1,
    containers: {
      web: { ...web, port: 8080, health: "curl", files: { "/data/a": "x" }, volumes: { "/data": "data" } },
      other: { ...web, port: 8080, environment: { "A B": { c: 1 } } },
      "Bad Name": { ...web, port: 9000, image: "web" },
    },
    site: { domain: "wiki.example.org", port: 9000 },
  };
  expect(faults(given).sort()).toEqual([
    'containers.Bad Name.image: expected an image with its registry such as docker.io/grafana/grafana:12.3.0, got "web"',
    'containers.Bad Name: expected a name of lower-case letters, digits and -, at most 31 long, got "Bad Name"',
    'containers.other.environment.A B: expected text, a number or a boolean, got {"c":1}',
    'containers.other.environment.A B: expected the name of a variable, got "A B"',
    "containers.other.port: web already listens on 8080",
    "containers.other.port: web already publishes 8080",
    "containers.web.files./data/a: is inside the volume /data",
    'containers.web.health: expected a command as a list of words, { http: "/path" } or { tcp: 22 }, got "curl"',
    "nope: unknown key",
  ]);
});

test("what decides which resources exist is no Output; the message prints neither it nor a secret", () => {
  const late = pulumi.output({});
  const reported =
    "expected a plain value, since it decides which resources exist, got an Output or a promise, whose value is not known when the component is declared";
  expect(faults({ containers: late })).toEqual([`containers: ${reported}`]);
  expect(faults({ containers: { web: late } })).toEqual([`containers.web: ${reported}`]);
  expect(container({ secrets: Promise.resolve({}) })).toEqual([`containers.web.secrets: ${reported}`]);
  expect(container({ environment: late, files: { "/etc/a": Promise.resolve("text") } })).toEqual([]);
  expect(container({ secrets: { a: pulumi.output("text"), b: "text", c: Promise.resolve("text") } })).toEqual([]);
  expect(container({ secrets: { a: 12345678, b: undefined, c: { d: "text" } } })).toEqual(
    ["a", "b", "c"].map((name) => `containers.web.secrets.${name}: expected text, or an Output with a text`),
  );
});

test("containers that share a pod have one host name; a job beside them may have another", () => {
  const named = (HostName: string, more: object = {}) => ({ image: web.image, quadlet: { HostName }, ...more });
  expect(faults({ containers: { web: named("a"), worker: named("b") } })).toEqual([
    "containers.worker.quadlet.HostName: is a in the container web, with which it shares a pod",
  ]);
  expect(faults({ containers: { web: named("a"), worker: named("a") } })).toEqual([]);
  expect(faults({ containers: { web: named("a"), nightly: named("b", { schedule: "daily" }) } })).toEqual([]);
});
