import type { Check, File, Manifest } from "../../protocol/manifest.ts";
import type { Distribution } from "../distribution/distribution.ts";
import { databaseData, databaseGuard } from "../postgres-client/database.ts";
import { sorted } from "../quadlet/pod.ts";
import {
  containerFile,
  containerUnit,
  networkFile,
  networkUnit,
  podFile,
  podUnit,
  QUADLETS,
} from "../quadlet/quadlet.ts";
import { rendered } from "../render/render.ts";
import type { AuthentikSettings } from "./schema.ts";
import { pathOf, portOf } from "./site.ts";
import { hasData, knowsBaseUrl, predecessors, seriesOf, usesValkey } from "./version.ts";

export const NAME = "authentik";
const HOME = `/var/lib/${NAME}`;
/** The same directory on the host for the uploads of every version, so that upgrades and rollbacks find them. */
const DATA = `${HOME}/data`;
const MEDIA = `${DATA}/media`;
const SERVER = `${NAME}-server`;
const WORKER = `${NAME}-worker`;
/** Name of the secret file with environment variables for the worker. */
export const FIRST_START = "first-start.env";
/** Directory of the secrets in the containers. */
const SECRETS = "/run/secrets/authentik";
/** authentik keeps uploads, metrics and sockets in /dev/shm; Podman's default of 64 MiB is too small. */
const SHM_SIZE = "512m";
/** The pod's own network, and the file that lists its gateways, from which Caddy's requests come. */
const NETWORK = { name: NAME, file: networkFile(NAME), unit: networkUnit(NAME) };
const NETWORK_FOLDER = `${NAME}-network`;
const PROXIES = `/run/${NETWORK_FOLDER}/proxies.env`;
const LIBEXEC = "/usr/local/libexec/gatehouse";
const PROXIES_SCRIPT = `${LIBEXEC}/${NAME}-proxies`;
/** The health check during a start, which runs in the containers. */
const STARTUP_SCRIPT = `${LIBEXEC}/${NAME}-startup`;
const LOOPBACK = ["127.0.0.0/8", "::1/128"];

/** An ID from the host, or its placeholder in a preview. */
type Numeric = number | string;

/** A service with a socket that the pod uses. */
export interface Peer {
  unit: string;
  socketDirectory: string;
  gid: Numeric;
}

export interface AuthentikView
  extends Pick<
    AuthentikSettings,
    | "domain"
    | "version"
    | "allowDowngrade"
    | "image"
    | "digest"
    | "port"
    | "admin"
    | "deadline"
    | "environment"
    | "container"
    | "network"
  > {
  uid: Numeric;
  gid: Numeric;
  postgres: Peer & { port: number };
  /** Without it, the pod has no access to Valkey's socket and is not in its group. */
  valkey?: Peer;
  /** Whether a new image migrates the database here, and not on another host before. */
  migrates: boolean;
  /** CIDRs of trusted proxies in front of Caddy. */
  trustedProxies: readonly string[];
  /** Settings with values in secret files. */
  secretVariables: readonly string[];
  /** Directory on the host with this version of the secrets, and other directories that must be kept as long. */
  secrets: string;
  refers: readonly string[];
}

export const imageReference = ({
  image,
  version,
  digest,
}: Pick<AuthentikView, "image" | "version" | "digest">): string =>
  digest ? `${image}:${version}@${digest}` : `${image}:${version}`;

/**
 * The shared environment, by version. Secrets are passed as `file://`: no part of authentik parses the file's content
 * again.
 */
export function environment(view: AuthentikView): Record<string, string | number | boolean> {
  return {
    AUTHENTIK_POSTGRESQL__HOST: view.postgres.socketDirectory,
    AUTHENTIK_POSTGRESQL__PORT: view.postgres.port,
    AUTHENTIK_POSTGRESQL__NAME: NAME,
    AUTHENTIK_POSTGRESQL__USER: NAME,
    AUTHENTIK_POSTGRESQL__SSLMODE: "disable",
    AUTHENTIK_SECRET_KEY: `file://${SECRETS}/secret_key`,
    ...(usesValkey(view.version) && {
      AUTHENTIK_CACHE__URL: `file://${SECRETS}/valkey_url`,
      AUTHENTIK_CHANNEL__URL: `file://${SECRETS}/valkey_url`,
    }),
    ...(knowsBaseUrl(view.version) && { AUTHENTIK_WEB__BASE_URL: `https://${view.domain}` }),
    AUTHENTIK_OUTPOSTS__DISCOVER: false,
    AUTHENTIK_ERROR_REPORTING__ENABLED: false,
    AUTHENTIK_DISABLE_UPDATE_CHECK: true,
    AUTHENTIK_DISABLE_STARTUP_ANALYTICS: true,
    ...(view.admin.email && { AUTHENTIK_BOOTSTRAP_EMAIL: view.admin.email }),
    ...view.environment,
    ...Object.fromEntries(view.secretVariables.map((name) => [name, `file://${SECRETS}/${name}`])),
  };
}

// Server and worker share the pod's network, so their ports must differ. 9443 cannot be disabled; it listens on
// loopback.
const LISTEN = {
  server: { HTTP: "0.0.0.0:9000", HTTPS: "127.0.0.1:9443", METRICS: "127.0.0.1:9300" },
  // Older Python workers read the second form; setting both is harmless.
  worker: {
    HTTP: "127.0.0.1:9001",
    LISTEN_HTTP: "127.0.0.1:9001",
    HTTPS: "127.0.0.1:9444",
    METRICS: "127.0.0.1:9301",
    LISTEN_METRICS: "127.0.0.1:9301",
  },
};

/** The manifest of authentik. */
export function authentikManifest(postgres: Distribution["postgres"], view: AuthentikView): Manifest {
  const owner = `${NAME}:${NAME}`;
  const uploads = hasData(view.version) ? { host: DATA, container: "/data" } : { host: MEDIA, container: "/media" };
  const others = ["certs", "templates"].map((name) => ({ name, host: `${HOME}/${name}`, container: `/${name}` }));
  const keys = sorted({ ShmSize: SHM_SIZE, ...view.container });
  const peers = [view.postgres, ...(view.valkey ? [view.valkey] : [])];
  const container = (role: "server" | "worker"): File => ({
    ...quadlet(containerFile(`${NAME}-${role}`), "etc/containers/systemd/authentik.container", {
      role,
      pod: podFile(NAME),
      image: imageReference(view),
      uid: view.uid,
      gid: view.gid,
      groups: peers.map(({ gid }) => gid),
      environmentFiles: [
        `/etc/${NAME}/${NAME}.env`,
        PROXIES,
        ...(role === "worker" ? [`${view.secrets}/${FIRST_START}`] : []),
      ],
      listen: Object.entries(LISTEN[role]),
      volumes: [
        // Read-only: a client only connects to the socket.
        ...peers.map(({ socketDirectory }) => ({ host: socketDirectory, container: socketDirectory, options: ":ro" })),
        ...[uploads, ...others].map(({ host, container }) => ({ host, container, options: "" })),
        { host: view.secrets, container: SECRETS, options: ":ro" },
        { host: STARTUP_SCRIPT, container: STARTUP_SCRIPT, options: ":ro" },
      ],
      startup: JSON.stringify([
        "python3",
        "-IS",
        STARTUP_SCRIPT,
        portOf(LISTEN[role].HTTP),
        `${pathOf(view)}-/health/live/`,
      ]),
      extra: keys.container,
      deadline: view.deadline,
    }),
  });
  return {
    deadline: view.deadline,
    listens: [`127.0.0.1:${view.port}/tcp`],
    data: [
      { name: "data", path: DATA },
      ...others.map(({ name, host }) => ({ name, path: host })),
      databaseData(postgres, NAME, NAME),
    ],
    directories: [
      // Owned by root: an account that can rename a directory in it could replace it with a symlink. A sticky directory
      // prevents that.
      { path: HOME, mode: "0750", owner: `root:${NAME}` },
      { path: DATA, mode: "01770", owner: `root:${NAME}` },
      { path: MEDIA, mode: "0770", owner: `root:${NAME}`, formerly: `${HOME}/media` },
      ...others.map(({ host }) => ({ path: host, mode: "0750", owner, reader: NAME })),
    ],
    // Migrations cannot skip a series and cannot be undone.
    images: [
      {
        reference: imageReference(view),
        version: view.version,
        series: seriesOf(view.version),
        follows: predecessors(view.version),
        ...(view.allowDowngrade && { downgrade: true }),
        permission: "authentik.allowDowngrade",
      },
    ],
    files: [
      {
        ...rendered(`/etc/${NAME}/${NAME}.env`, "root:root", "0644", "etc/authentik/authentik.env", {
          variables: Object.entries(environment(view)),
        }),
        restarts: [podUnit(NAME)],
      },
      ...networkFiles(view),
      quadlet(podFile(NAME), "etc/containers/systemd/authentik.pod", {
        network: NETWORK,
        port: view.port,
        services: peers.map(({ unit }) => unit),
        options: keys.pod,
      }),
      container("server"),
      container("worker"),
      // No unit restarts: each start of a container reads it again.
      rendered(STARTUP_SCRIPT, "root:root", "0755", "usr/local/libexec/gatehouse/authentik-startup", {}),
    ],
    refers: [view.secrets, ...view.refers],
    guards: view.migrates ? [databaseGuard(postgres, NAME, [podUnit(NAME)], NAME)] : [],
    checks: [networkCheck(view.network.subnets)],
    units: [
      { name: podUnit(NAME) },
      { name: containerUnit(SERVER) },
      { name: containerUnit(WORKER) },
      { name: NETWORK.unit },
    ],
    probes: [
      { name: "authentik is ready", http: `http://127.0.0.1:${view.port}${pathOf(view)}-/health/ready/` },
      ...[SERVER, WORKER].map((name) => ({ name: `${name} keeps running`, unit: containerUnit(name), seconds: 3 })),
    ],
  };
}

/** The network, and the addresses in it that authentik trusts as proxies. */
function networkFiles({ network: { subnets }, trustedProxies }: AuthentikView): File[] {
  const restarts = [NETWORK.unit, podUnit(NAME)];
  const network = { network: NAME, subnets, proxies: PROXIES_SCRIPT, folder: NETWORK_FOLDER };
  const proxies = { network: NAME, trusted: [...LOOPBACK, ...trustedProxies], variables: PROXIES };
  return [
    { ...quadlet(NETWORK.file, "etc/containers/systemd/authentik.network", network), restarts },
    {
      ...rendered(PROXIES_SCRIPT, "root:root", "0755", "usr/local/libexec/gatehouse/authentik-proxies", proxies),
      restarts,
    },
  ];
}

/**
 * Runs before the pod stops: an existing network with this name must be gatehouse's, and Podman must be able to create
 * the subnets.
 */
const networkCheck = (subnets: readonly string[]): Check => ({
  name: "authentik.network can be created on this host",
  tree: QUADLETS,
  exec: [
    "sh",
    "-c",
    `there=$(podman network inspect ${NAME} --format '{{index .Labels "gatehouse"}}{{range .Subnets}} {{.Subnet}}{{end}} ' 2>/dev/null) || there=none
case $there in none | "${NAME} "*) ;; *)
  echo 'gatehouse did not create the network ${NAME} on this host: rename it, or run podman network rm ${NAME}'
  exit 1 ;;
esac
for subnet; do
  case $there in *" $subnet "*) continue ;; esac
  podman network create --disable-dns --subnet="$subnet" ${NAME}-check >/dev/null && podman network rm ${NAME}-check >/dev/null || exit
done`,
    "sh",
    ...subnets,
  ],
});

const quadlet = (name: string, template: string, view: object): File => ({
  ...rendered(`${QUADLETS}/${name}`, "root:root", "0644", template, view),
  restarts: [podUnit(NAME)],
});
