// Synapse, a Matrix homeserver, beside the platform: an app whose stack knows only the name of the platform's stack.
import * as pulumi from "@pulumi/pulumi";
import { RandomPassword } from "@pulumi/random";
import { App, Host, inspect, Platform, platforms } from "gatehouse";

const config = new pulumi.Config();
const domain = config.require("domain");

// The platform provides the host's address and the GID of PostgreSQL's socket. The key to the host belongs to this stack.
const platform = await Platform.fromStack(config.require("platform"));
const connection = { ...platform.host, privateKey: config.requireSecret("sshKey") };
const debian = { platform: platforms.debian };
// Objects on the host that this stack takes over, such as `account synapse`, or `stack shop/prod` if an app moves here.
const takeOver = config.getObject<string[]>("takeOver");
const host = new Host("host", { connection, ...debian, takeOver, facts: await inspect(connection, debian, "on") });

const generated = (name: string) => new RandomPassword(name, { length: 40, special: false }).result;

// Synapse's configuration, homeserver.yaml, written as JSON, a subset of YAML. It contains secrets and is therefore secret
// as a whole: a file that only Synapse can read, not an environment variable or a command line.
const homeserver = pulumi.jsonStringify({
  server_name: domain,
  public_baseurl: `https://${domain}/`,
  listeners: [
    { type: "http", port: 8008, bind_addresses: ["0.0.0.0"], x_forwarded: true, resources: [{ names: ["client"] }] },
  ],
  database: {
    name: "psycopg2",
    // No password: PostgreSQL authenticates the account at its socket. The role and the database have the app's name.
    args: { host: "/run/postgresql", user: "synapse", dbname: "synapse", cp_min: 1, cp_max: 5 },
    // The database has the cluster's locale; C.UTF-8, Debian's default, sorts like C.
    allow_unsafe_locale: true,
  },
  redis: { enabled: true, path: "/run/valkey-synapse/valkey.sock" },
  media_store_path: "/data/media",
  signing_key_path: "/data/signing.key",
  registration_shared_secret: generated("registration"),
  macaroon_secret_key: generated("macaroon"),
  form_secret: generated("form"),
  trusted_key_servers: [],
  report_stats: false,
});

const app = new App("synapse", {
  host,
  containers: {
    server: {
      image: `${config.require("image")}:${config.require("version")}`,
      port: 8008,
      secrets: { "homeserver.yaml": homeserver, admin: config.requireSecret("adminPassword") },
      volumes: { "/data": "data" },
      // Healthy if it answers, has its database and has its administrator.
      health: { http: `/_matrix/client/v3/profile/@admin:${domain}` },
    },
  },
  postgres: { clients: platform.groups.postgres },
  valkey: { maxmemory: "64mb" },
  site: { domain, port: 8008, tls: platform.caddy.tls },
});

export const url = app.url;
