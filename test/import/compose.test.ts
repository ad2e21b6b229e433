import { describe, expect, test } from "vitest";
import { imported, lines } from "./files.ts";

const NOTES = {
  "compose.yaml": `name: notes
x-usual: &usual
  restart: unless-stopped
  environment: &variables
    TZ: Europe/Berlin
services:
  web:
    <<: *usual
    image: ghcr.io/example/notes:\${NOTES_VERSION:-2.4.1}
    environment:
      <<: *variables
      DATABASE_URL: postgres://notes:\${DB_PASSWORD}@db:5432/notes
      REDIS_URL: redis://cache:6379/1
      SECRET_KEY: \${SECRET_KEY}
    ports: ["80:80", "127.0.0.1:9090:9090", "2222:22"]
    volumes:
      - ./data:/data
      - ./notes.ini:/etc/notes.ini:ro
      - /mnt/photos:/photos:ro
      - /var/run/docker.sock:/var/run/docker.sock
    labels:
      - traefik.http.routers.notes.rule=Host(\`notes.example.org\`)
    stop_grace_period: 2m
    privileged: true
    healthcheck: { test: curl -f http://localhost/healthz }
  db:
    image: postgres:17
    environment: [POSTGRES_USER=notes, "POSTGRES_PASSWORD=\${DB_PASSWORD}", POSTGRES_DB=notes]
    volumes: ["db:/var/lib/postgresql/data"]
  cache:
    image: redis:8-alpine
    command: redis-server --maxmemory 64mb
volumes:
  db:
`,
  ".env": "DB_PASSWORD=hunter2\nSECRET_KEY='abc'\n",
  "notes.ini": "a = b\n",
};
const WEB = {
  image: "ghcr.io/example/notes:2.4.1",
  port: 80,
  publish: 8080,
  ports: [{ port: 9090 }, { port: 22, publish: 2222, address: "*" }],
  volumes: { "/data": "data", "/photos": { host: "/mnt/photos", readOnly: true } },
  files: { "/etc/notes.ini": "a = b\n" },
  health: ["sh", "-c", "curl -f http://localhost/healthz"],
};

describe("a compose file", () => {
  test("becomes an app, whose containers have the names that they had", () => {
    const { apps, secrets } = imported(NOTES);
    expect(apps).toEqual({
      notes: {
        containers: {
          web: {
            ...WEB,
            environment: { TZ: "Europe/Berlin", REDIS_URL: "redis://cache:6379/1" },
            secretEnvironment: { DATABASE_URL: "configured", SECRET_KEY: "configured" },
            quadlet: { StopTimeout: 120, AddHost: ["web:127.0.0.1", "db:127.0.0.1", "cache:127.0.0.1"] },
          },
          db: {
            image: "docker.io/library/postgres:17",
            environment: { POSTGRES_USER: "notes", POSTGRES_DB: "notes" },
            secretEnvironment: { POSTGRES_PASSWORD: "configured" },
            volumes: { "/var/lib/postgresql/data": "db" },
          },
          cache: { image: "docker.io/library/redis:8-alpine", command: ["redis-server", "--maxmemory", "64mb"] },
        },
        site: { domain: "notes.example.org", port: 8080 },
      },
    });
    expect(secrets).toEqual({ notes: ["DATABASE_URL", "SECRET_KEY", "POSTGRES_PASSWORD"] });
  });

  test("has its PostgreSQL and Redis from the platform if that was asked for", () => {
    const { apps, secrets } = imported(NOTES, { native: true });
    expect(apps.notes).toEqual({
      containers: {
        web: {
          ...WEB,
          environment: {
            TZ: "Europe/Berlin",
            DATABASE_URL: "postgres:///notes?host=/run/postgresql&user=notes",
            REDIS_URL: "unix:///run/valkey-notes/valkey.sock?db=1",
          },
          secretEnvironment: { SECRET_KEY: "configured" },
          quadlet: { StopTimeout: 120 },
        },
      },
      postgres: {},
      valkey: { maxmemory: "64mb" },
      site: { domain: "notes.example.org", port: 8080 },
    });
    expect(secrets).toEqual({ notes: ["SECRET_KEY"] });
  });

  test("has each thing that is not carried over with its line, and no value of a secret", () => {
    const result = imported(NOTES, { native: true });
    expect(lines(result, "lost")).toEqual([
      "compose.yaml:20 web: volume /var/run/docker.sock:/var/run/docker.sock: the socket of the container engine is root's access to the whole host",
      "compose.yaml:24 web: privileged: a privileged container is root on the host: add the capabilities and devices that it needs",
    ]);
    expect(lines(result, "changed")).toEqual(
      expect.arrayContaining([
        expect.stringMatching(/^compose\.yaml:12 web: DATABASE_URL: is now postgres:/),
        expect.stringMatching(/^compose\.yaml:15 web: port 80:80: other machines reached it/),
        "compose.yaml:17 volume ./data: is now /var/lib/apps/notes/data: copy its contents there",
        expect.stringMatching(/^compose\.yaml:27 db: image: is now the platform's PostgreSQL/),
      ]),
    );
    expect(lines(result, "moot")).toContain("compose.yaml:3 web: restart: a container that ends is started again");
    expect(JSON.stringify([result.apps, ...lines(result, "changed"), ...lines(result, "lost")])).not.toMatch(
      /hunter2|abc/,
    );
  });
});

/** One service with these further keys. */
const service = (keys: string, more: Record<string, string> = {}) =>
  imported(
    { "compose.yaml": `services:\n  web:\n    image: web:1.2\n    ${keys.replaceAll("\n", "\n    ")}\n`, ...more },
    { name: "wiki" },
  );
const web = (keys: string, more?: Record<string, string>) => service(keys, more).apps.wiki?.containers.web;

test.each<[string, object]>([
  ["command: serve --name 'two words'", { command: ["serve", "--name", "two words"] }],
  ["entrypoint: [sh, -c]", { quadlet: { Entrypoint: '["sh","-c"]' } }],
  ["cap_add: [net_raw]", { quadlet: { AddCapability: "NET_RAW" } }],
  ["devices: ['/dev/dri:/dev/dri']", { quadlet: { AddDevice: "/dev/dri:/dev/dri" } }],
  ["volumes: ['/dev/ttyUSB0:/dev/ttyUSB0']", { quadlet: { AddDevice: "/dev/ttyUSB0" } }],
  ["ulimits: { nofile: { soft: 1, hard: 2 }, nproc: 3 }", { quadlet: { Ulimit: ["nofile=1:2", "nproc=3"] } }],
  ["sysctls: [net.core.somaxconn=9]", { quadlet: { Sysctl: "net.core.somaxconn=9" } }],
  ["extra_hosts: ['mail:192.0.2.7']", { quadlet: { AddHost: "mail:192.0.2.7" } }],
  ["read_only: true\ntmpfs: /tmp", { quadlet: { ReadOnly: true, Tmpfs: "/tmp" } }],
  ["deploy: { resources: { limits: { memory: 512M, cpus: '0.5' } } }", { memory: "512m", cpus: 0.5 }],
  ["ports: ['53:53/udp']", { ports: [{ port: 53, protocol: "udp", address: "*" }] }],
  ["ports: [{ target: 80, published: '8080', host_ip: 127.0.0.1 }]", { port: 80, publish: 8080 }],
  ["ports: ['127.0.0.1:7000-7001:8000-8001']", { port: 8000, publish: 7000, ports: [{ port: 8001, publish: 7001 }] }],
  ['environment: { CERT: "one\\ntwo" }', { secretEnvironment: { CERT: "configured" } }],
  ["volumes: [{ type: tmpfs, target: /run, tmpfs: { size: 1m } }]", { quadlet: { Tmpfs: "/run:size=1m" } }],
])("%s is carried over", (keys, entry) => {
  const result = service(keys);
  expect(lines(result, "lost")).toEqual([]);
  expect(result.apps.wiki?.containers.web).toEqual({ image: "docker.io/library/web:1.2", ...entry });
});

test("names of links and aliases stay names of the containers of the app", () => {
  const two =
    "services:\n  web: { image: 'a:1', links: ['db:database'], networks: { n: { aliases: [site] } } }\n  db: { image: 'b:1' }\n";
  const { apps } = imported({ "compose.yaml": two }, { name: "wiki" });
  expect(apps.wiki?.containers.web?.quadlet?.AddHost).toEqual(
    ["web", "database", "site", "db"].map((name) => `${name}:127.0.0.1`),
  );
});

test("shared memory is a size of the app", () => {
  expect(service("shm_size: 1gb").apps.wiki?.shmSize).toBe("1g");
});

test("an environment file beside it is read, and the service's own variables win", () => {
  const env = "A=1\nB='two words'\n# C=3\n";
  const more = { "web.env": env, "last.env": "B=last\nTOKEN=abc" };
  expect(web("environment: { TOKEN: $$none }\nenv_file: [web.env, last.env]", more)).toMatchObject({
    environment: { A: "1", B: "last" },
    secretEnvironment: { TOKEN: "configured" },
  });
  expect(web("environment: { A: own }\nenv_file: web.env", more)?.environment).toEqual({
    A: "own",
    B: "two words",
  });
});

test.each<[string, string]>([
  ["image: web:latest", "3 web: image: docker.io/library/web:latest is a moving tag: use a version or a digest"],
  ["network_mode: host", "4 web: network_mode: the network of the host is not available"],
  ["pid: host", "4 web: pid: containers have their own processes"],
  ["build: .", "4 web: build: images are not built on the host"],
  ["ports: ['[::1]:80:80']", "4 web: port [::1]:80:80: an IPv6 address cannot be published"],
  ["environment: [A]", "4 web: environment.A: has no value in .env"],
  ["environment: { A: $NOTHING }", "4 web: environment.A: $" + "{NOTHING} has no value in .env"],
  ["env_file: nowhere.env", "4 web: env_file nowhere.env: is not here"],
  ["volumes: ['./web.conf:/etc/web.conf']", "4 web: volume ./web.conf: is not here"],
  ["security_opt: ['seccomp:unconfined']", "4 web: security_opt seccomp:unconfined: the filters of Podman stay"],
  ["sysctls: { vm.swappiness: 1 }", "4 web: quadlet.Sysctl: expected a parameter below net."],
  ["restart: 'no'", "4 web: restart: a container that ends is started again"],
  ["nonsense: 1", "4 web: nonsense: has no equivalent"],
])("%s is listed with its line and the reason", (keys, line) => {
  const own = keys.startsWith("image")
    ? imported({ "compose.yaml": `services:\n  web:\n    ${keys}\n` }, { name: "wiki" })
    : service(keys);
  expect(lines(own, "lost")).toEqual([expect.stringContaining(`compose.yaml:${line}`)]);
});

test("what two containers cannot have in one pod is listed", () => {
  const two = "services:\n  a: { image: 'a:1', ports: ['8001:80'] }\n  b: { image: 'b:1', ports: ['8002:80'] }\n";
  expect(lines(imported({ "compose.yaml": two }, { name: "wiki" }), "lost")).toEqual([
    "compose.yaml:3 b: port: a already listens on 80",
  ]);
});

test("secrets of one name with two values are listed, and secrets of one value are not", () => {
  const two = (other: string) =>
    lines(
      imported(
        {
          "compose.yaml": `services:\n  a: { image: 'a:1', environment: { TOKEN: one } }\n  b: { image: 'b:1', environment: { TOKEN: ${other} } }\n`,
        },
        { name: "wiki" },
      ),
      "lost",
    );
  expect(two("one")).toEqual([]);
  expect(two("two")).toEqual([
    expect.stringContaining("compose.yaml:3 b: TOKEN: has another value in another container"),
  ]);
});

test.each(["caddy", "gitea-postgres"])("the name %s, which an app cannot have, is changed", (name) => {
  expect(
    Object.keys(imported({ "compose.yaml": `name: ${name}\nservices:\n  web:\n    image: web:1\n` }).apps),
  ).toEqual([`${name}-app`]);
});

/** The keys of a service in the compose specification. */
const KEYS =
  "annotations attach build blkio_config cap_add cap_drop cgroup cgroup_parent command configs container_name cpu_count cpu_percent cpu_period cpu_quota cpu_rt_period cpu_rt_runtime cpu_shares cpus cpuset credential_spec depends_on deploy develop device_cgroup_rules devices dns dns_opt dns_search domainname driver_opts entrypoint env_file environment expose extends external_links extra_hosts gpus group_add healthcheck hostname init ipc isolation label_file labels links logging mac_address mem_limit mem_reservation mem_swappiness memswap_limit models network_mode networks oom_kill_disable oom_score_adj pid pids_limit platform ports post_start pre_stop privileged profiles provider pull_policy read_only restart runtime scale secrets security_opt shm_size stdin_open stop_grace_period stop_signal storage_opt sysctls tmpfs tty ulimits use_api_socket user userns_mode uts volumes volumes_from working_dir";

test.each(KEYS.split(" "))("%s is never dropped in silence", (key) => {
  const values: Record<string, string> = {
    deploy: "{ mode: global }",
    healthcheck: "{ test: x }",
    init: "false",
    labels: "[a=b]",
    logging: "{ driver: syslog }",
    networks: "[a]",
    ports: "['1']",
    read_only: "true",
    scale: "2",
    volumes: "['a:/b']",
    sysctls: "{ a: b }",
    ulimits: "{ a: 1 }",
    annotations: "{ a: b }",
    extra_hosts: "{ a: 192.0.2.1 }",
    environment: "{ a: b }",
  };
  const result = service(`${key}: ${values[key] ?? "['1']"}`);
  const { shmSize, containers } = result.apps.wiki ?? { containers: {} };
  const kept = shmSize !== undefined || Object.keys(containers.web ?? {}).length > 1;
  const listed = (["lost", "changed", "moot"] as const).some((kind) => lines(result, kind).length > 0);
  expect(kept || listed).toBe(true);
});
