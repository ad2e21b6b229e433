import { expect, test } from "vitest";
import { changed, faults, read, SMALL, type Table } from "./configuration.ts";
import { newKey } from "./sshd.ts";

const NAME = "expected a name of lower-case letters, digits, - and _, at most 31 long, got";
const LOGIN = "expected a user name of letters, digits, ., _, @ and -, which does not begin with - or ., got";
const RELEASE_NAME = "expected a name of lower-case letters, digits and -, at most 31 long, got";
const PORT = "expected a port from 1 to 65535, got";
const GID = "expected a GID from 1 to 65533, got";
const BACKEND = "expected a plain-HTTP address on this host such as 127.0.0.1:8080, got";
const DIRECTORY = "expected the https address of an ACME directory, got";
const HOST_KEY =
  "expected a host key such as `ssh-ed25519 AAAA...`, as `cut -d' ' -f1-2 /etc/ssh/ssh_host_ed25519_key.pub` prints it on the host's console, got";
const DIFFERENTLY =
  "would be read differently by different parts of authentik: expected a value that is not empty, without leading quotes or brackets and without leading or trailing blanks";
const FOLDER =
  "expected a separate folder such as /srv/backups: an absolute path with at least two components, not a system folder, got";
const AWAY = "after a change Valkey would start without its existing data; remove it";
const CALENDAR = "expected a systemd calendar expression such as *-*-* 02:00:00 or Sun 04:00, got";
const SFTP = {
  address: "198.51.100.9",
  user: "gatehouse",
  hostKey: "ecdsa-sha2-nistp256 AAAA",
  path: "/srv/backups",
};
const S3 = { endpoint: "s3.example.org", bucket: "backups", keyId: "AKIAEXAMPLE" };
const KINDS = "[repository] expected exactly one of path, sftp and s3, got";
const NETWORK = "expected a network such as 10.0.0.0/8 or fd00:88::/64, got";
const PROXIES = "expected an address or a network, such as 198.51.100.7 or 173.245.48.0/20, got";
const VARIABLE =
  "expected a variable such as AUTHENTIK_EMAIL__HOST, or one of SSL_CERT_FILE, SSL_CERT_DIR, REQUESTS_CA_BUNDLE, CURL_CA_BUNDLE, HTTP_PROXY, HTTPS_PROXY, ALL_PROXY, NO_PROXY and TZ, got";
const WEB_PATH = "expected a path with a leading and a trailing slash such as /auth/, got";
const UNDECIDED = "is set by the platform; remove it";

/** The path, the wrong value, and the message about it. */
const WRONG: readonly (readonly [path: string, value: unknown, message: string])[] = [
  ["host", undefined, "expected keys and values, got nothing"],
  ["host", "192.0.2.10", 'expected keys and values, got "192.0.2.10"'],
  ["host.address", undefined, "expected an IP address or a host name, got nothing"],
  ["host.address", "two words", 'expected an IP address or a host name, got "two words"'],
  ["host.address", "-oProxyCommand=x", 'expected an IP address or a host name, got "-oProxyCommand=x"'],
  ["host.port", 0, `${PORT} 0`],
  ["host.port", 65536, `${PORT} 65536`],
  ["host.port", 22.5, `${PORT} 22.5`],
  ["host.port", "22", `${PORT} "22"`],
  ...["", "-oProxyCommand=x", "two words", "a;b", "$(id)", "CORP\\deploy", "déploy", ".deploy", "a".repeat(256)].map(
    (name) => ["host.user", name, `${LOGIN} ${JSON.stringify(name)}`] as const,
  ),
  ["host.hostKey", undefined, `${HOST_KEY} nothing`],
  ["host.hostKey", "ssh-rsa AAAAB3Nz", `${HOST_KEY} "ssh-rsa AAAAB3Nz"`],
  ["host.hostKey", "192.0.2.10 ssh-ed25519 AAAA", `${HOST_KEY} "192.0.2.10 ssh-ed25519 AAAA"`],
  ["host.sudo", "yes", 'expected true or false, got "yes"'],
  ["host.platform", "windows", expect.stringMatching(/^expected one of debian.*, got "windows"$/)],
  ["host.prot", 22, "unknown key"],
  ["host.proxy", { address: "192.0.2.1" }, `[hostKey] ${HOST_KEY} nothing`],
  ["drift", "maybe", 'expected true or false, got "maybe"'],
  ["autentik", {}, "unknown key"],
  ["postgres.gid", 0, `${GID} 0`],
  ["postgres.gid", 65534, `${GID} 65534`],
  [
    "postgres.settings.work_mem",
    "a\nb",
    '"a\\nb" cannot be written into postgresql.conf: it contains a line break or another control character',
  ],
  [
    "valkey.settings.maxmemory",
    "a\nb",
    '"a\\nb" cannot be written into valkey.conf: it contains a line break or another control character',
  ],
  [
    "authentik.environment.AUTHENTIK_X",
    "a\nb",
    '"a\\nb" cannot be written into an env file: it contains a line break or another control character',
  ],
  [
    "authentik.environment.AUTHENTIK_LONG",
    "x".repeat(60_001),
    `"${"x".repeat(60)}..." cannot be written into an env file: Podman only reads lines shorter than 64 KiB`,
  ],
  [
    "authentik.container.LogDriver",
    "a\nb",
    '"a\\nb" cannot be written into a unit file: it contains a line break or another control character',
  ],
  [
    "authentik.container.Annotation",
    ["a=b", '"c"'],
    '[1] "\\"c\\"" cannot be written into a unit file: Podman may remove leading and trailing double quotes, but keeps single quotes',
  ],
  [
    "postgres.settings.port",
    5433,
    "port is set by the platform, which listens on its socket directory only; remove it",
  ],
  [
    "postgres.settings.include_dir",
    "x",
    "include_dir is set by the platform, which listens on its socket directory only; remove it",
  ],
  ["valkey.settings.unixsocketgroup", "x", "unixsocketgroup is set by the platform; remove it"],
  ["postgres.settings.Max", 1, 'expected the name of a setting such as max_connections, got "Max"'],
  ["postgres.settings.work_mem", ["1MB"], 'expected text, a number or a boolean, got ["1MB"]'],
  ["postgres.databases.Grafana", {}, `${NAME} "Grafana"`],
  ["postgres.databases.template1", {}, "template1 is reserved for PostgreSQL or gatehouse; choose another"],
  ["postgres.databases.grafana", { owner: "Bob" }, `[owner] ${NAME} "Bob"`],
  ["postgres.databases.grafana", { own: "bob" }, "[own] unknown key"],
  ["postgres.roles.grafana", { auth: "md5" }, '[auth] expected one of peer, scram, got "md5"'],
  [
    "postgres.roles.grafana",
    { connections: 0 },
    "[connections] expected a number of connections from 1 to 262143, got 0",
  ],
  ["postgres.roles.postgres", { auth: "scram" }, "postgres is reserved for PostgreSQL or gatehouse; choose another"],
  ["postgres.roles.pg_monitor", { auth: "peer" }, "pg_monitor is reserved for PostgreSQL or gatehouse; choose another"],
  ["postgres.databases.gatehouse_loads", {}, "gatehouse_loads is reserved for PostgreSQL or gatehouse; choose another"],
  ["valkey.gid", -1, `${GID} -1`],
  ["valkey.settings.bind", "0.0.0.0", "bind is set by the platform; remove it"],
  ["valkey.settings.dir", "/srv/valkey", `dir is the folder of the data: ${AWAY}`],
  ["valkey.settings.dbfilename", "other.rdb", `dbfilename is the name of the snapshot: ${AWAY}`],
  ["valkey.settings.appendfilename", "other.aof", `appendfilename is the name of the append-only file: ${AWAY}`],
  ["valkey.settings.appenddirname", "other", `appenddirname is the folder of the append-only file: ${AWAY}`],
  [
    "valkey.settings.replicaof",
    "127.0.0.1 6380",
    `replicaof makes Valkey replace its data with those of another server: ${AWAY}`,
  ],
  [
    "postgres.settings.data_directory",
    "/srv/postgresql",
    "data_directory is the folder of the data: after a change PostgreSQL would start without its existing data; remove it",
  ],
  ["valkey.settings.max_memory", 1, 'expected the name of a setting such as maxmemory, got "max_memory"'],
  ["valkey.databaseCount", 1, "expected at least 2, got 1"],
  ["valkey.databases.grafana", 0, "database 0 is reserved; the next free one is 1"],
  ["valkey.databases.grafana", 16, "database 16 does not exist: there are 16, numbered from 0 (valkey.databaseCount)"],
  ["valkey.databases.grafana", -1, "database -1 does not exist: there are 16, numbered from 0 (valkey.databaseCount)"],
  ["valkey.databases.grafana", "1", 'expected a number, got "1"'],
  ["valkey.databases.my_app", 1, `${RELEASE_NAME} "my_app"`],
  ["valkey.databases.gatehouse", 1, "gatehouse is a user of the platform; choose another name"],
  ["valkey.databases.default", 1, "default is a user of the platform; choose another name"],
  ["valkey.rotation", 0, "expected a whole number of at least 1, got 0"],
  [
    "authentik.domain",
    "https://auth.example.org",
    'expected a domain name in lower case, such as auth.example.org, got "https://auth.example.org"',
  ],
  ["authentik.domain", "auth", 'expected a domain name in lower case, such as auth.example.org, got "auth"'],
  ["authentik.version", "2026.8", 'expected an exact version such as 2026.8.3, got "2026.8"'],
  ["authentik.version", "latest", 'expected an exact version such as 2026.8.3, got "latest"'],
  ["authentik.version", 2026.8, "expected text, got 2026.8"],
  ["authentik.version", "2026.08.3", 'expected an exact version such as 2026.8.3, got "2026.08.3"'],
  [
    "authentik.image",
    "ghcr.io/goauthentik/server:2026.8.3",
    'expected an image without tag such as ghcr.io/goauthentik/server, got "ghcr.io/goauthentik/server:2026.8.3"',
  ],
  [
    "authentik.digest",
    "sha256:12",
    'expected an image digest such as sha256:0123... (64 hexadecimal digits), got "sha256:12"',
  ],
  ["authentik.valkey", "no", 'expected true or false, got "no"'],
  ["authentik.port", 70000, `${PORT} 70000`],
  ["authentik.network.subnets", ["10.50.0.0"], `[0] ${NETWORK} "10.50.0.0"`],
  ["authentik.network.subnets", ["10.50.0.0/33"], `[0] ${NETWORK} "10.50.0.0/33"`],
  ["authentik.network.subnets", ["fd00::/64x"], `[0] ${NETWORK} "fd00::/64x"`],
  ["authentik.network.subnets", ["10.50.0.5/24"], '[0] expected the network itself, 10.50.0.0/24, got "10.50.0.5/24"'],
  [
    "authentik.network.subnets",
    ["10.50.19.0/20"],
    '[0] expected the network itself, 10.50.16.0/20, got "10.50.19.0/20"',
  ],
  [
    "authentik.network.subnets",
    ["10.50.0.0/24", "FD00:50:0::1/64"],
    '[1] expected the network itself, fd00:50::/64, got "FD00:50:0::1/64"',
  ],
  [
    "authentik.network.subnets",
    ["fd00:50::/64"],
    "fd00:50::/64: an IPv4 network is needed too, since Caddy reaches authentik at 127.0.0.1",
  ],
  ["trustedProxies", "198.51.100.7", 'expected a list, got "198.51.100.7"'],
  ["trustedProxies", ["proxy.example.org"], `[0] ${PROXIES} "proxy.example.org"`],
  ["trustedProxies", ["198.51.100.7/64"], `[0] ${PROXIES} "198.51.100.7/64"`],
  [
    "trustedProxies",
    ["198.51.100.7", "::/0"],
    "[1] ::/0 contains every address, so any client could claim another address; list the networks of the proxies",
  ],
  ["authentik.deadline", 9, "expected at least 10 seconds, got 9"],
  ["authentik.rotation", 1.5, "expected a whole number of at least 1, got 1.5"],
  ["authentik.environment.EMAIL_HOST", "x", `${VARIABLE} "EMAIL_HOST"`],
  ["authentik.environment.AUTHENTIK_SECRET_KEY", "x", `AUTHENTIK_SECRET_KEY ${UNDECIDED}`],
  ["authentik.environment.AUTHENTIK_POSTGRESQL__HOST", "x", `AUTHENTIK_POSTGRESQL__HOST ${UNDECIDED}`],
  ["authentik.environment.AUTHENTIK_LISTEN__HTTPS", "x", `AUTHENTIK_LISTEN__HTTPS ${UNDECIDED}`],
  [
    "authentik.environment.AUTHENTIK_LISTEN__TRUSTED_PROXY_CIDRS",
    "x",
    `AUTHENTIK_LISTEN__TRUSTED_PROXY_CIDRS ${UNDECIDED}`,
  ],
  ["authentik.environment.AUTHENTIK_WEB__BASE_URL", "x", `AUTHENTIK_WEB__BASE_URL ${UNDECIDED}`],
  [
    "authentik.environment.AUTHENTIK_POSTGRESQL",
    "x",
    "AUTHENTIK_POSTGRESQL would replace a whole section of settings; set its keys, such as AUTHENTIK_POSTGRESQL__KEY",
  ],
  [
    "authentik.environment.AUTHENTIK_POSTGRESQL__HOST__X",
    "x",
    "AUTHENTIK_POSTGRESQL__HOST__X would replace a setting of the platform; remove it",
  ],
  [
    "authentik.environment.AUTHENTIK_BOOTSTRAP_EMAIL",
    "a@example.org",
    "AUTHENTIK_BOOTSTRAP_EMAIL is set by authentik.admin.email; remove it",
  ],
  [
    "authentik.environment.AUTHENTIK_BOOTSTRAP_PASSWORD",
    "hunter2",
    "AUTHENTIK_BOOTSTRAP_PASSWORD is a secret: pulumi config set --secret --path gatehouse:authentikSecrets.AUTHENTIK_BOOTSTRAP_PASSWORD",
  ],
  ["authentik.environment.AUTHENTIK_WEB__PATH", "/auth", `${WEB_PATH} "/auth"`],
  ["authentik.environment.AUTHENTIK_WEB__PATH", "auth/", `${WEB_PATH} "auth/"`],
  ["authentik.environment.AUTHENTIK_WEB__PATH", "/a b/", `${WEB_PATH} "/a b/"`],
  ["authentik.environment.PATH", "/bin", `${VARIABLE} "PATH"`],
  ["authentik.environment.TMPDIR", "/tmp", `${VARIABLE} "TMPDIR"`],
  ["authentik.environment.AUTHENTIC_EMAIL__HOST", "x", `${VARIABLE} "AUTHENTIC_EMAIL__HOST"`],
  ["authentik.admin.email", "operator", 'expected an e-mail address, got "operator"'],
  ["authentik.admin.email", "o'brien@example.org", 'expected an e-mail address, got "o\'brien@example.org"'],
  ["authentik.admin.password", "x", "unknown key"],
  [
    "authentik.directives",
    "}\nevil.example.org {",
    "line 1: this } closes the site itself, because there is no matching { before it; remove it",
  ],
  ["authentik.environment.AUTHENTIK_EMAIL__HOST", "", `"" ${DIFFERENTLY}`],
  ["authentik.environment.AUTHENTIK_EMAIL__HOST", '"x"', `"\\"x\\"" ${DIFFERENTLY}`],
  ["authentik.environment.AUTHENTIK_EMAIL__HOST", " x", `" x" ${DIFFERENTLY}`],
  [
    "authentik.container.logDriver",
    "x",
    'expected a key of a Quadlet [Container] section such as LogDriver, got "logDriver"',
  ],
  [
    "authentik.container.Volume",
    ["/srv/a:/blueprints/a:ro", "/srv/b:/data/"],
    "/srv/b:/data/ would hide a mount that the container already has; use another path than /data",
  ],
  [
    "authentik.container.Volume",
    ["/srv/a:/blueprints/a", "/srv/b:/blueprints/a:ro"],
    "/srv/b:/blueprints/a:ro would hide another mount; use another path than /blueprints/a",
  ],
  [
    "authentik.container.Mount",
    "type=bind,source=/srv/a,destination=/certs",
    "type=bind,source=/srv/a,destination=/certs would hide a mount that the container already has; use another path than /certs",
  ],
  ["authentik.container.UserNS", "keep-id", `UserNS ${UNDECIDED}`],
  ["authentik.container.UIDMap", "0:1:1", `UIDMap ${UNDECIDED}`],
  ["authentik.container.SecurityLabelDisable", true, `SecurityLabelDisable ${UNDECIDED}`],
  ["authentik.container.AutoUpdate", "registry", `AutoUpdate ${UNDECIDED}`],
  ["authentik.container.StartWithPod", false, `StartWithPod ${UNDECIDED}`],
  [
    "authentik.container.NetworkAlias",
    "auth",
    "NetworkAlias has no effect on a pod that no other container reaches by name; remove it",
  ],
  [
    "authentik.container.ExposeHostPort",
    8080,
    "ExposeHostPort has no effect on a member of a pod, whose ports the pod publishes; remove it",
  ],
  ["authentik.container.HostName", ["a", "b"], "HostName takes one value, got 2"],
  ["authentik.container.HostName", "a b", 'expected a host name such as auth, got "a b"'],
  ["authentik.container.AddHost", "mail", 'expected a name and an address such as mail.lan:192.0.2.7, got "mail"'],
  [
    "authentik.container.AddHost",
    ["mail:192.0.2.7", "ldap"],
    'expected a name and an address such as mail.lan:192.0.2.7, got "ldap"',
  ],
  ["authentik.container.DNS", "resolver", 'expected an IP address or none, got "resolver"'],
  ["authentik.container.IP", "fd00::1", 'expected an IPv4 address of the pod\'s network, got "fd00::1"'],
  ["authentik.container.IP6", "192.0.2.1", 'expected an IPv6 address of the pod\'s network, got "192.0.2.1"'],
  ["authentik.container.ShmSize", "lots", 'expected a size such as 512m or 1g, got "lots"'],
  ["authentik.container.ShmSize", 0, 'expected a size such as 512m or 1g, got "0"'],
  ["authentik.container.PodmanArgs", "--userns=host", `PodmanArgs ${UNDECIDED}`],
  ["caddy.tls", "none", 'expected one of acme, internal, got "none"'],
  ["caddy.email", "ops", 'expected an e-mail address, got "ops"'],
  ["caddy.acmeDirectory", "http://ca.example.org/directory", `${DIRECTORY} "http://ca.example.org/directory"`],
  ["caddy.acmeDirectory", "https://ca.example.org/{env.X}", `${DIRECTORY} "https://ca.example.org/{env.X}"`],
  ["caddy.sites.my_app", { domain: "a.example.org", backend: "127.0.0.1:1" }, `${RELEASE_NAME} "my_app"`],
  ["caddy.sites.a", { domain: "a.example.org" }, "[backend] expected text, got nothing"],
  ["caddy.sites.a", { domain: "a.example.org", backend: "192.0.2.1:80" }, `[backend] ${BACKEND} "192.0.2.1:80"`],
  ["caddy.sites.a", { domain: "a.example.org", backend: "127.0.0.1:99999" }, `[backend] ${BACKEND} "127.0.0.1:99999"`],
  ["caddy.sites.a", { domain: "a.example.org", backend: "https://[::1]:1" }, `[backend] ${BACKEND} "https://[::1]:1"`],
  [
    "caddy.sites.a",
    { domain: "a.example.org", backend: "127.0.0.1:1", directives: "}\nb.example.org {" },
    "[directives] line 1: this } closes the site itself, because there is no matching { before it; remove it",
  ],
  ["backup", {}, "[repository] expected keys and values, got nothing"],
  ["backup", { repository: {} }, `${KINDS} none`],
  ["backup", { repository: { path: "/srv/backups", sftp: SFTP } }, `${KINDS} path and sftp`],
  ["backup.repository.path", "backups", `${FOLDER} "backups"`],
  ["backup.repository.path", "/backups", `${FOLDER} "/backups"`],
  ["backup.repository.path", "/srv/backups/", `${FOLDER} "/srv/backups/"`],
  ["backup.repository.path", "/srv/../etc", `${FOLDER} "/srv/../etc"`],
  ["backup.repository.path", "/srv/my backups", `${FOLDER} "/srv/my backups"`],
  ["backup.repository.path", "/etc/backups", `${FOLDER} "/etc/backups"`],
  ["backup.repository.path", "/var/lib", `${FOLDER} "/var/lib"`],
  ["backup.repository.sftp", { ...SFTP, hostKey: undefined }, `[hostKey] ${HOST_KEY} nothing`],
  ["backup.repository.sftp", { ...SFTP, user: "The Backup" }, `[user] ${LOGIN} "The Backup"`],
  ["backup.repository.sftp", { ...SFTP, user: "a@b" }, '[user] expected a user name without @, got "a@b"'],
  ["backup.repository.sftp", { ...SFTP, port: 0 }, `[port] ${PORT} 0`],
  ["backup.repository.sftp", { ...SFTP, path: "~" }, '[path] expected an absolute path such as /srv/backups, got "~"'],
  [
    "backup.repository.s3",
    { ...S3, endpoint: "https://s3.example.org" },
    '[endpoint] expected a host name, optionally with a port, such as s3.example.org, got "https://s3.example.org"',
  ],
  ["backup.repository.s3", { ...S3, bucket: "B" }, '[bucket] expected the name of a bucket, got "B"'],
  ["backup.repository.s3", { ...S3, path: "prod" }, '[path] expected an absolute path such as /prod, got "prod"'],
  ["backup.repository.s3", { ...S3, keyId: "a b" }, '[keyId] expected the ID of an access key, got "a b"'],
  [
    "backup",
    { repository: { path: "/srv/backups" }, schedule: "0 2 * * * root" },
    `[schedule] ${CALENDAR} "0 2 * * * root"`,
  ],
  ["backup", { repository: { path: "/srv/backups" }, drill: "" }, `[drill] ${CALENDAR} ""`],
  ["backup", { repository: { path: "/srv/backups" }, full: 0 }, "[full] expected a whole number of at least 1, got 0"],
  [
    "backup",
    { repository: { path: "/srv/backups" }, keep: 1.5 },
    "[keep] expected a whole number of at least 1, got 1.5",
  ],
  ["backup", { repository: { path: "/srv/backups" }, key: "x" }, "[key] unknown key"],
];

test.each(WRONG)("%s: %j is refused, with its path and what is allowed", async (path, value, message) => {
  // A message that starts with [key] refers to that key below the path.
  const deeper = typeof message === "string" ? /^\[(\w+)\] /.exec(message) : null;
  const reported = deeper ? `${path}.${deeper[1]}: ${message.slice(deeper[0].length)}` : `${path}: ${message}`;
  const table = changed(SMALL, { [path]: value });
  const { repository } = (table.backup ?? {}) as { repository?: Table };
  const keyed = repository?.sftp !== undefined || repository?.s3 !== undefined;
  const found = await faults(
    { ...table, ...(keyed && { backupKey: repository?.sftp ? newKey().private : "x" }) },
    keyed ? ["backupKey"] : [],
  );
  if (typeof message === "string") expect(found).toEqual([reported]);
  else expect(found).toEqual([expect.stringMatching(new RegExp(`^${path}: `))]);
});

test.each([
  ["host.port", 2222],
  ["host.user", "deploy"],
  ["host.user", "first.last"],
  ["host.user", "First.Last@corp.example.org"],
  ["host.user", "svc_deploy-2"],
  ["host.address", "2001:db8::1"],
  ["host.sudo", true],
  ["host.proxy", { address: "bastion.example.org", hostKey: "ssh-ed25519 AAAA" }],
  ["drift", false],
  ["postgres.gid", 1],
  ["postgres.gid", 65533],
  ["postgres.settings.max_connections", 200],
  ["postgres.settings", { "pg_stat_statements.track": "all" }],
  ["postgres.databases.my_app", { owner: "bob" }],
  ["postgres.roles.reporting", { auth: "scram" }],
  ["valkey.settings.maxmemory", "256mb"],
  ["valkey.settings.appendonly", "yes"],
  ["valkey.settings.save", ""],
  ["valkey.databases.grafana", 15],
  ["authentik.digest", `sha256:${"0".repeat(64)}`],
  ["authentik.environment.AUTHENTIK_EMAIL__HOST", "smtp.example.org"],
  ["authentik.environment.AUTHENTIK_LOG_LEVEL", "debug"],
  ["authentik.environment.AUTHENTIK_POSTGRESQL__CONN_MAX_AGE", 60],
  ["authentik.environment.AUTHENTIK_POSTGRESQL__CONN_HEALTH_CHECKS", true],
  ["authentik.environment.AUTHENTIK_POSTGRESQL__READ_REPLICAS__0__HOST", "/run/replica"],
  ["authentik.environment.AUTHENTIK_POSTGRESQL__DEFAULT_SCHEMA", "public"],
  ["authentik.environment.AUTHENTIK_LISTEN__DEBUG", "127.0.0.1:9900"],
  ["authentik.environment.AUTHENTIK_REDIS__HOST", "127.0.0.1"],
  ["authentik.environment.AUTHENTIK_WEB__PATH", "/auth/"],
  ["authentik.environment.AUTHENTIK_WEB__PATH", "/"],
  ["authentik.environment.AUTHENTIK_OUTPOSTS__DISCOVER", true],
  ["authentik.environment.SSL_CERT_FILE", "/certs/authority.pem"],
  ["authentik.environment.https_proxy", "http://proxy.example.org:3128"],
  ["authentik.environment.NO_PROXY", "127.0.0.1,.example.org"],
  ["authentik.environment.TZ", "Europe/Berlin"],
  ["authentik.admin.email", "some.operator+auth@sub.example.org"],
  [
    "authentik.directives",
    "tls /etc/caddy/auth.pem /etc/caddy/auth.key\nheader Strict-Transport-Security max-age=31536000",
  ],
  ["authentik.container.LogDriver", "journald"],
  ["authentik.container.Memory", "2g"],
  ["authentik.container.Volume", ["/srv/a:/blueprints/a:ro", "/srv/b:/blueprints/b", "/srv/c:/data/custom"]],
  ["authentik.container.Volume", "named:/srv"],
  ["authentik.container.AddHost", ["mail.lan:192.0.2.7", "ldap.lan:host-gateway"]],
  ["authentik.container.DNS", ["192.0.2.53", "2001:db8::53"]],
  ["authentik.container.DNSSearch", "example.org"],
  ["authentik.container.HostName", "auth.example.org"],
  ["authentik.container.IP", "10.88.0.77"],
  ["authentik.container.ShmSize", "1gb"],
  ["caddy.email", "ops@example.org"],
  ["caddy.acmeDirectory", "https://127.0.0.1:8443/acme/local/directory"],
  ["backup", { repository: { path: "/srv/backups" } }],
  ["backup", { repository: { path: "/mnt/disk/gatehouse" }, schedule: "daily", drill: "monthly", full: 1, keep: 1 }],
  ["backup", { repository: { path: "/var/backups/nightly" } }],
  ["authentik.network.subnets", ["10.50.0.0/24", "fd00:50::/64"]],
  ["authentik.network.subnets", ["10.50.16.0/20", "2001:db8:0:40::/58", "10.0.0.0/8", "172.16.9.128/25"]],
  ["trustedProxies", ["198.51.100.7", "2001:db8::1", "173.245.48.0/20"]],
  ["caddy.sites.my-app", { domain: "a.example.org", backend: "127.0.0.1:65535" }],
  [
    "caddy.sites.my-app",
    { domain: "a.example.org", backend: "127.0.0.1:1", directives: 'respond "{ } }" {\n  close\n}' },
  ],
])("%s: %j is accepted", async (path, value) => {
  expect(await faults(changed(SMALL, { [path]: value }))).toEqual([]);
});

test("all faults of a backup are reported together, also beside one that hides the others' values", async () => {
  const repository = { path: "relative", s3: { endpoint: "s3.example.org" } };
  const backup = { repository, keep: 0, schedule: "a b c d e f", nope: 1 };
  expect((await faults({ ...SMALL, backup, backupPassphrase: " x" }, ["backupPassphrase"])).sort()).toEqual([
    "backup.keep: expected a whole number of at least 1, got 0",
    "backup.nope: unknown key",
    `backup.repository.path: ${FOLDER} "relative"`,
    "backup.repository.s3.bucket: expected the name of a bucket, got nothing",
    "backup.repository.s3.keyId: expected the ID of an access key, got nothing",
    "backup.repository: expected exactly one of path, sftp and s3, got path and s3",
    `backup.schedule: ${CALENDAR} "a b c d e f"`,
    "backupKey: expected the secret of backup.repository.s3.keyId: pulumi config set --secret gatehouse:backupKey < KEYFILE",
    "backupPassphrase: expected one line without leading or trailing blanks",
  ]);
});

test("faults below an invalid name are reported with that of the name, at any depth", async () => {
  const sites = { "My Site": { domain: "two words", backend: "127.0.0.1:1", nope: 1 } };
  const databases = { Wiki: { owner: "The Owner", clients: "editors" } };
  expect((await faults(changed(SMALL, { "caddy.sites": sites, "postgres.databases": databases }))).sort()).toEqual([
    `caddy.sites.My Site.domain: expected a domain name in lower case, such as auth.example.org, got "two words"`,
    "caddy.sites.My Site.nope: unknown key",
    `caddy.sites.My Site: ${RELEASE_NAME} "My Site"`,
    'postgres.databases.Wiki.clients: expected a list, got "editors"',
    `postgres.databases.Wiki.owner: ${NAME} "The Owner"`,
    `postgres.databases.Wiki: ${NAME} "Wiki"`,
  ]);
});

test("values that do not fit together are reported with those that are invalid themselves", async () => {
  const site = { domain: "a.example.org", backend: "127.0.0.1:1" };
  const given = changed(SMALL, {
    drfit: true,
    "host.port": "22",
    "policy.requireDigest": true,
    "postgres.gid": 2001,
    "valkey.gid": 2001,
    "valkey.databases": { one: 1, two: 1, three: "3" },
    "authentik.container": { Volume: ["/srv/x:/media", "/srv/x:/media"], LogDriver: {}, IP: ["10.0.0.1"] },
    "authentik.environment": { AUTHENTIK_LISTEN__HTTP: "x", nope: 1 },
    "caddy.sites": { one: site, two: site, three: { ...site, domain: 3 }, four: { ...site, domain: 3 } },
    "backup.repository.path": "/srv/backups",
    "backup.keep": 0,
    "postgres.settings": { archive_mode: "on" },
  });
  expect((await faults(given)).map((line) => line.split(": ")[0]).sort()).toEqual(
    [
      "authentik.container.LogDriver",
      "authentik.container.Volume",
      "authentik.container.Volume",
      "authentik.digest",
      "authentik.environment.nope",
      "authentik.environment.AUTHENTIK_LISTEN__HTTP",
      "backup.keep",
      "caddy.sites.four.domain",
      "caddy.sites.three.domain",
      "caddy.sites.two.domain",
      "drfit",
      "host.port",
      "postgres.settings.archive_mode",
      "valkey.databases.three",
      "valkey.databases.two",
      "valkey.gid",
    ].sort(),
  );
});

test("nothing is compared where something else stands in place of a table, and a valid value is no fault beside it", async () => {
  expect(await faults(changed(SMALL, { caddy: "internal", "postgres.gid": 7, "valkey.gid": 7 }))).toEqual([
    'caddy: expected keys and values, got "internal"',
  ]);
});

test("a key in the namespace of one of our settings, or of a mistyped project, is refused with both commands", async () => {
  const elsewhere = (key: string, meant: string, secret = "") =>
    `${key}: is not read, since it belongs to another project or provider: remove it (\`pulumi config rm '${key}'\`), and \`pulumi config set ${secret}--path 'gatehouse:${meant}' VALUE\``;
  expect(
    await faults({
      ...SMALL,
      "authentik:version": "2026.8.4",
      "postgres:settings.work_mem": "16MB",
      "host:address": "192.0.2.1",
      "authentikSecrets:AUTHENTIK_EMAIL__PASSWORD": "x",
      "gatehous:authentik": {},
      "Gate-House:sshKey": "x",
    }),
  ).toEqual([
    elsewhere("authentik:version", "authentik.version"),
    elsewhere("postgres:settings.work_mem", "postgres.settings.work_mem"),
    elsewhere("host:address", "host.address"),
    elsewhere("authentikSecrets:AUTHENTIK_EMAIL__PASSWORD", "authentikSecrets.AUTHENTIK_EMAIL__PASSWORD", "--secret "),
    elsewhere("gatehous:authentik", "authentik"),
    elsewhere("Gate-House:sshKey", "sshKey", "--secret "),
  ]);
});

test("keys of providers and of other projects are none of ours", async () => {
  const others = [
    "aws:region",
    "command:host",
    "docker:host",
    "kubernetes:host",
    "random:x",
    "pulumi:tags",
    "shop:caddy",
  ];
  const provider = ["authentik:url", "authentik:token"];
  expect(await faults({ ...SMALL, ...Object.fromEntries([...others, ...provider].map((key) => [key, "x"])) })).toEqual(
    [],
  );
});

test("a key that was set without --path is refused, with the two commands that correct it", async () => {
  expect(await faults({ ...SMALL, "host.address": "x", "caddy.sites[0]": "x" })).toEqual([
    "host.address: was set without --path, as one key of this name: remove it (`pulumi config rm 'gatehouse:host.address'`), and `pulumi config set --path 'gatehouse:host.address' VALUE`",
    "caddy.sites[0]: was set without --path, as one key of this name: remove it (`pulumi config rm 'gatehouse:caddy.sites[0]'`), and `pulumi config set --path 'gatehouse:caddy.sites[0]' VALUE`",
  ]);
  const [secret] = await faults({ ...SMALL, "authentikSecrets.AUTHENTIK_X": "x" }, ["authentikSecrets.AUTHENTIK_X"]);
  expect(secret).toMatch(/and `pulumi config set --secret --path 'gatehouse:authentikSecrets\.AUTHENTIK_X' VALUE`$/);
});

test("the command keeps a secret encrypted, and any other setting not, however it was set", async () => {
  expect(await faults({ ...SMALL, 'registries["ghcr.io"].password': "x", "host.port": 22 }, ["host.port"])).toEqual([
    expect.stringContaining(`\`pulumi config set --secret --path 'gatehouse:registries["ghcr.io"].password' VALUE\``),
    expect.stringContaining("`pulumi config set --path 'gatehouse:host.port' VALUE`"),
  ]);
});

test("secret settings of authentik are texts by variable: a table in place of one is refused, without its values", async () => {
  const set = (authentikSecrets: unknown) => faults({ ...SMALL, authentikSecrets }, ["authentikSecrets"]);
  const name = "AUTHENTIK_EMAIL";
  expect(await set({ [name]: { PASSWORD: "hunter22" } })).toEqual([
    `authentikSecrets.${name}: expected text, got keys and values`,
  ]);
  expect(await set(["hunter22"])).toEqual(["authentikSecrets: expected keys and values"]);
  expect(await set({ [`${name}__PASSWORD`]: "hunter22" })).toEqual([]);
});

test("policy.requireDigest holds without the policy pack", async () => {
  const policy = { requireDigest: true };
  expect(await faults({ ...SMALL, policy })).toEqual([
    "authentik.digest: expected the digest of the image, since policy.requireDigest is true: skopeo inspect --format '{{.Digest}}' docker://ghcr.io/goauthentik/server:2026.8.3",
  ]);
  expect(await faults(changed({ ...SMALL, policy }, { "authentik.digest": `sha256:${"0".repeat(64)}` }))).toEqual([]);
});

test("several faults are reported together, each on a line with its path", async () => {
  const wrong = changed(SMALL, { "host.port": 0, "authentik.version": "1", "caddy.tls": "none", nope: 1 });
  const refusal = await read(wrong, [], "prod").catch((error: Error) => error.message);
  expect(refusal).toBe(`Pulumi.prod.yaml is invalid; nothing was changed:
  host.port: ${PORT} 0
  authentik.version: expected an exact version such as 2026.8.3, got "1"
  caddy.tls: expected one of acme, internal, got "none"
  nope: unknown key
Every key is described in docs/configuration.md.`);
});
