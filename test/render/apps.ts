// The apps with golden files for every rendered file.
import type { AppArgs } from "../../components/app/args.ts";
import { databaseManifest } from "../../components/app/database.ts";
import { appManifest, type ContainerSecrets, secretsManifest } from "../../components/app/manifest.ts";
import { releaseOf, valkeyOf } from "../../components/app/names.ts";
import { appSettings, hasSecrets } from "../../components/app/schema.ts";
import { siteOf } from "../../components/app/site.ts";
import { valkeyManifest } from "../../components/app/valkey.ts";
import { debian } from "../../components/distribution/debian.ts";
import type { Distribution } from "../../components/distribution/distribution.ts";
import { siteManifest, type Tls } from "../../components/site/site.ts";
import type { Manifest } from "../../protocol/manifest.ts";

type Wishes = Omit<AppArgs, "host" | "postgres"> & { database?: string; connections?: number };

export const APPS: Record<string, Wishes> = {
  whoami: {
    containers: {
      web: {
        image: "docker.io/traefik/whoami:v1.11",
        command: ["--name", "50% of $HOME", 'say "yes"'],
        environment: { LEVEL: "debug", WORKERS: 2, VERBOSE: true },
        port: 80,
        publish: 9100,
        health: { http: "/health" },
        quadlet: { StopTimeout: 60 },
      },
    },
  },
  paperless: {
    containers: {
      web: {
        image: "docker.io/paperless/web:2.1",
        port: 8000,
        ports: [
          { port: 53, publish: 5300, protocol: "udp", address: "*" },
          { port: 389, address: "192.0.2.10" },
        ],
        volumes: { "/srv/media": "media" },
        secrets: { key: "web's key" },
        health: ["check", "--say", 'it is "well"'],
      },
      worker: {
        image: "docker.io/paperless/worker:2.1",
        volumes: {
          "/srv/media": "media",
          "/srv/queue": "queue",
          "/photos": { host: "/mnt/photos", readOnly: true, backup: true },
          "/etc/localtime": { host: "/etc/localtime", readOnly: true },
        },
        environment: { QUEUE: "/srv/queue" },
        secrets: { key: "the worker's key" },
        secretEnvironment: { SMTP_PASSWORD: "50% of $HOME" },
        quadlet: {
          AddHost: ["mail.lan:192.0.2.7", "ldap.lan:192.0.2.8"],
          HostName: "paperless",
          Tmpfs: "/tmp:size=64m",
          Sysctl: ["net.core.somaxconn=1024", "kernel.shmmax=1073741824"],
          StopTimeout: 300,
          AddCapability: ["NET_RAW", "CAP_SYS_NICE"],
          AddDevice: "/dev/dri/renderD128",
        },
        memory: "1g",
        cpus: 0.5,
      },
    },
    valkey: {},
    shmSize: "1g",
    deadline: 600,
  },
  grafana: {
    containers: {
      web: {
        image: `docker.io/grafana/grafana:12.3.0@sha256:${"6".repeat(64)}`,
        files: { "/etc/grafana/ldap.toml": '[[servers]]\nhost = "ldap.example.org"\n' },
        environment: { GF_DATABASE_TYPE: "postgres", GF_SECURITY_ADMIN_PASSWORD__FILE: "/run/secrets/admin" },
        secrets: { admin: "the admin's password" },
        volumes: { "/var/lib/grafana": "data" },
        quadlet: {
          ReadOnly: true,
          HostName: "grafana",
          Ulimit: ["nofile=65536:65536", "nproc=4096"],
          Label: "team=50%",
        },
        memory: "512mb",
        port: 3000,
        publish: 9300,
      },
    },
    database: "metrics",
    connections: 30,
    shmSize: "256m",
    valkey: { maxmemory: "64mb" },
    site: { domain: "grafana.example.org", port: 9300, directives: "encode gzip", tls: "internal" },
  },
  wiki: {
    containers: {
      web: { image: "docker.io/library/wiki:3.1", port: 8080, health: { tcp: 8080 }, volumes: { "/srv": "pages" } },
      export: {
        image: "docker.io/library/wiki-export:1.4",
        command: ["wiki", "export", "--to", "/out"],
        schedule: "Mon..Fri 03:30",
        environment: { PAGES: "/srv" },
        volumes: { "/srv": "pages", "/out": "public" },
        secrets: { key: "the export's key" },
      },
    },
    database: "wiki",
    site: { domain: "wiki.example.org", files: "public", directives: "encode gzip" },
  },
  press: { site: { domain: "press.example.org", files: "public", tls: "internal" } },
  reports: {
    containers: { weekly: { image: "docker.io/library/reports:1.0", schedule: "weekly" } },
  },
  pages: {
    containers: {
      web: {
        image: "localhost:5000/pages:1",
        port: 8080,
        volumes: { "/srv": "pages" },
        health: ["pages", "check"],
        quadlet: { StopSignal: "SIGINT" },
      },
    },
  },
};

/** The manifests that App creates from its arguments, through the same pure functions, with the answers of a host. */
export function partsOfApp(app: string, platform: Distribution = debian): Record<string, Manifest> {
  const { containers, database, connections, valkey, site, shmSize, deadline } = appSettings(
    app,
    APPS[app] as Wishes,
  ).shape;
  const secrets = Object.fromEntries(
    Object.entries(APPS[app]?.containers ?? {}).map(([name, { secrets = {}, secretEnvironment = {} }]) => [
      name,
      { secrets, secretEnvironment } as ContainerSecrets,
    ]),
  );
  const door = ({ unit, socketDirectory }: { unit: string; socketDirectory: string }, gid: number) => ({
    unit,
    directory: socketDirectory,
    gid,
  });
  return {
    secrets: secretsManifest(app, secrets),
    ...(database && { postgres: databaseManifest(platform.postgres, app, database, connections) }),
    ...(valkey && { valkey: valkeyManifest(app, valkey) }),
    app: appManifest({
      containers,
      shmSize,
      deadline,
      app,
      uid: 975,
      gid: 974,
      sockets: [...(database ? [door(platform.postgres, 987)] : []), ...(valkey ? [door(valkeyOf(app), 973)] : [])],
      secrets: Object.values(secrets).some(hasSecrets) ? 2 : undefined,
      database: database ? { names: platform.postgres, name: database } : undefined,
      site: site && siteManifest(platform.caddy, site.tls as Tls, releaseOf(app), siteOf(app, site)),
      served: site?.files === undefined ? undefined : { folder: site.files, names: platform.caddy },
    }),
  };
}
