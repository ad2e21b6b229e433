import { createHash } from "node:crypto";
import type { File, Manifest, Probe } from "../../protocol/manifest.ts";
import { secretsFolder, secretsHome } from "../../protocol/secrets.ts";
import type { Distribution } from "../distribution/distribution.ts";
import { databaseGuard } from "../postgres-client/database.ts";
import { repeated, SIGNALS, sorted } from "../quadlet/pod.ts";
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
import { folders, hostVolumes } from "./folders.ts";
import { timerManifest } from "./jobs.ts";
import { configOf, folderOf, homeOf, quadletOf, releaseOf, secretOf } from "./names.ts";
import { ALL, FIRST_UNPRIVILEGED, LOOPBACK, listening, publishedPorts } from "./ports.ts";
import { type AppSettings, type ContainerSettings, isJob, published } from "./schema.ts";
import { servedManifest } from "./site.ts";

/** Directory in the containers with the secrets, one file each. */
const SECRETS = "/run/secrets";

/** An ID from the host, or its placeholder in a preview. */
export type Numeric = number | string;

/** A service with a socket that the app uses. */
export interface Socket {
  unit: string;
  directory: string;
  gid: Numeric;
}

export interface AppView extends Pick<AppSettings, "containers" | "shmSize" | "deadline"> {
  app: string;
  uid: Numeric;
  gid: Numeric;
  sockets: readonly Socket[];
  /** Database that a new image may migrate. @default - no database */
  database?: { names: Distribution["postgres"]; name: string };
  /** Version of the secrets; undefined if no container has secrets. */
  secrets?: Numeric;
  /** Caddy fragment; undefined if only the host can reach the app. */
  site?: Manifest;
  /** Directory that Caddy serves; undefined if there is none. */
  served?: { folder: string; names: Distribution["caddy"] };
}

/** The secrets of a container, by name: files, and variables. */
export type ContainerSecrets = Pick<ContainerSettings, "secrets" | "secretEnvironment">;

/** The secrets, in a separate directory for the files of each container, and one for its variables. */
export function secretsManifest(app: string, secrets: Record<string, ContainerSecrets>): Manifest {
  const release = releaseOf(app, "secrets");
  const folder = secretsFolder(release, "{generation}");
  // Owned by root: another owner could change the file, or keep root from opening it.
  const secret = (path: string, content: string, group: string): File => ({
    path: `${folder}/${path}`,
    mode: "0440",
    owner: `root:${group}`,
    content,
  });
  return {
    data: [{ name: "secrets", path: secretsHome(release) }],
    files: Object.entries(secrets).flatMap(([container, { secrets, secretEnvironment }]) => [
      ...Object.entries(secrets).map(([name, content]) => secret(`${container}/${name}`, content, app)),
      ...Object.entries(secretEnvironment).map(([name, content]) =>
        secret(`${variablesOf(container)}/${name}`, content, "root"),
      ),
    ]),
  };
}

/**
 * The manifest of an app. Its containers have their own network: one runs alone, several share a pod, and jobs run
 * outside the pod. A changed job restarts nothing.
 */
export function appManifest(view: AppView): Manifest {
  const { app, containers, database, deadline, secrets, site, served } = view;
  const entries = Object.entries(containers);
  const lasting = entries.filter(([, container]) => !isJob(container));
  const own = quadletOf(app);
  const pod = lasting.length > 1;
  const restarts = lasting.length === 0 ? [] : [pod ? podUnit(own) : containerUnit(own)];
  const placed = entries.map(([name, container]) => {
    const job = isJob(container);
    return { name, container, job, called: pod || job ? quadletOf(app, name) : own, restarts: job ? [] : restarts };
  });
  const running = placed.filter(({ job }) => !job);
  const quadlet = (file: string, template: string, values: object, units = restarts): File => ({
    ...rendered(`${QUADLETS}/${file}`, "root:root", "0644", `etc/containers/systemd/${template}`, values),
    restarts: units,
  });
  const folder = secrets === undefined ? undefined : secretsFolder(releaseOf(app, "secrets"), secrets);
  const front = frontOf(view);
  const borrowed = hostVolumes(containers);
  const jobs = entries.flatMap(([name, { schedule }]) => (schedule ? [timerManifest(app, name, schedule)] : []));
  const timers = jobs.flatMap(({ units }) => units.map(({ name }) => name));
  const beside: Manifest[] = [
    ...jobs,
    ...(served === undefined ? [] : [servedManifest(served.names, app, served.folder)]),
    ...(site ? [site] : []),
  ];
  return {
    deadline,
    listens: front.ports.map(listening),
    // The whole directory: a volume that the app no longer uses may still contain data.
    data: [
      { name: "volumes", path: homeOf(app) },
      ...borrowed
        .filter(({ backup }) => backup)
        .map(({ host }) => ({ name: savedAs(host), path: host, borrowed: true })),
    ],
    borrowed: borrowed.map(({ host, readOnly }) => ({ path: host, readonly: readOnly })),
    directories: folders(app, containers, served?.folder),
    images: imagesOf(entries).map((reference) => ({ reference })),
    files: [
      ...placed
        .filter(({ container }) => Object.keys(container.environment).length > 0)
        .map(({ name, container, restarts }) => ({
          ...rendered(environmentFile(app, name), "root:root", "0644", "etc/apps/app/container.env", {
            variables: Object.entries(container.environment),
          }),
          restarts,
        })),
      ...placed.flatMap(({ name, container: { files }, restarts }) =>
        Object.entries(files).map(([path, content]) => ({
          path: configFile(app, name, path),
          mode: "0440",
          owner: `root:${app}`,
          content,
          restarts,
        })),
      ),
      ...(entries.length > 0
        ? [quadlet(networkFile(own), "app.network", { app, network: own }, [networkUnit(own), ...restarts])]
        : []),
      ...(pod ? [quadlet(podFile(own), "app.pod", { app, pod: own, options: optionsOf(running), ...front })] : []),
      ...placed.map(({ name, container, job, called, restarts }) => {
        const place = {
          name: called,
          job,
          pod: pod && !job ? podFile(own) : "",
          ...front,
          ...(job && { ports: [], sysctls: [] }),
        };
        const keys = place.pod ? sorted(container.quadlet).container : repeated(container.quadlet);
        const values = { ...place, keys, ...containerView(view, name, container, folder) };
        return quadlet(containerFile(called), "app.container", values, restarts);
      }),
      ...beside.flatMap(({ files = [] }) => files),
    ],
    refers: folder ? [folder] : [],
    guards:
      database && lasting.length > 0
        ? [databaseGuard(database.names, database.name, [...restarts, ...timers], app, imagesOf(lasting))]
        : [],
    checks: beside.flatMap(({ checks = [] }) => checks),
    units: [
      ...(entries.length > 0 ? [{ name: networkUnit(own) }] : []),
      ...(pod ? [{ name: podUnit(own) }] : []),
      ...running.map(({ called }) => ({ name: containerUnit(called) })),
      ...beside.flatMap(({ units = [] }) => units),
    ],
    steps: beside.flatMap(({ steps = [] }) => steps),
    probes: [
      ...running.map(({ name, container, called }) => probeOf(app, name, containerUnit(called), container)),
      ...beside.flatMap(({ probes = [] }) => probes),
    ],
  };
}

/** A name in the backup for a folder of the host: two paths never have the same. */
const savedAs = (path: string): string =>
  `host${path.toLowerCase().replaceAll(/[^a-z0-9]/g, "-")}-${createHash("sha256").update(path).digest("hex").slice(0, 8)}`;

/** Options of the pod, from the keys of its members. */
const optionsOf = (members: readonly { container: ContainerSettings }[]): string[] => [
  ...new Set(members.flatMap(({ container }) => sorted(container.quadlet).pod)),
];

const imagesOf = (entries: readonly [string, ContainerSettings][]) => [
  ...new Set(entries.map(([, { image }]) => image)),
];

/** No container has a dot in its name. */
const variablesOf = (container: string) => `${container}.environment`;
const environmentFile = (app: string, container: string) => `${configOf(app)}/${container}.env`;
const configFile = (app: string, container: string, path: string) => `${configOf(app)}/${container}${path}`;

const networkOf = (app: string) => {
  const name = quadletOf(app);
  return { name, file: networkFile(name), unit: networkUnit(name) };
};

/** Values for the host's side of an app, in the Quadlet of the pod or of a single container. */
const frontOf = ({ app, sockets, containers, shmSize = "" }: AppView) => ({
  services: sockets.map(({ unit }) => unit),
  network: networkOf(app),
  shmSize,
  ...portsOf(Object.values(containers)),
});

function portsOf(containers: readonly ContainerSettings[]) {
  const ports = containers.flatMap(publishedPorts);
  const lowest = Math.min(...ports.map(({ port }) => port));
  return {
    ports: ports.map((one) => ({ ...one, bound: one.address === ALL ? "0.0.0.0" : one.address })),
    // Of the network of the containers only, in which no other program could take such a port.
    sysctls: lowest < FIRST_UNPRIVILEGED ? [`net.ipv4.ip_unprivileged_port_start=${lowest}`] : [],
  };
}

/** Values for the Quadlet of a container, whether it is alone or in a pod. */
function containerView(
  { app, uid, gid, sockets, deadline }: AppView,
  name: string,
  container: ContainerSettings,
  folder: string | undefined,
) {
  const { image, command, environment, files, secrets, secretEnvironment, volumes, health, quadlet, memory, cpus } =
    container;
  return {
    image,
    command,
    uid,
    gid,
    groups: sockets.map(({ gid }) => gid),
    devices: [quadlet.AddDevice ?? []].flat().map((device) => String(device).replace(/^-?([^:]*).*$/, "$1")),
    secretVariables: Object.keys(secretEnvironment).map((variable) => ({
      variable,
      name: secretOf(app, name, variable),
      file: `${folder}/${variablesOf(name)}/${variable}`,
    })),
    environmentFile: Object.keys(environment).length > 0 ? environmentFile(app, name) : "",
    volumes: [
      // Read-only: a client only connects to the socket.
      ...sockets.map(({ directory }) => ({ host: directory, container: directory, options: ":ro" })),
      ...Object.entries(volumes).map(([path, volume]) =>
        typeof volume === "string"
          ? { host: folderOf(app, volume), container: path, options: "" }
          : { host: volume.host, container: path, options: volume.readOnly ? ":ro" : "" },
      ),
      ...Object.keys(files).map((path) => ({ host: configFile(app, name, path), container: path, options: ":ro" })),
      ...(Object.keys(secrets).length > 0 ? [{ host: `${folder}/${name}`, container: SECRETS, options: ":ro" }] : []),
    ],
    mounts: hostVolumes({ [name]: container }).map(({ host }) => host),
    // A JSON list, which Podman runs without a shell: not every image has one.
    health: Array.isArray(health) ? JSON.stringify(health) : "",
    limits: [
      ...(memory ? [["MemoryMax", memory.toUpperCase().replace(/B$/, "")]] : []),
      ...(cpus ? [["CPUQuota", `${Math.round(cpus * 100)}%`]] : []),
    ],
    patience: patienceOf(container),
    ended: statusAfter(String(container.quadlet.StopSignal ?? "SIGTERM")),
    deadline,
    // Each check takes 0.1 s of CPU time and more, so a start that may take minutes is not checked each second.
    interval: Math.max(1, Math.floor(deadline / 180)),
  };
}

/** The exit status of a program that a signal ended. */
const statusAfter = (signal: string): number =>
  128 + (SIGNALS[signal.replace(/^SIG/, "") as keyof typeof SIGNALS] ?? Number(signal));

/** Seconds of systemd's for the end of a container that has more time than systemd itself allows; 0 for any other. */
function patienceOf({ quadlet }: ContainerSettings): number {
  const timeout = Number(quadlet.StopTimeout ?? 0);
  return timeout + REMOVAL > SYSTEMD_PATIENCE ? timeout + REMOVAL : 0;
}
const SYSTEMD_PATIENCE = 90;
/** For Podman to remove the container once it has ended. */
const REMOVAL = 30;

/** A probe from the host: over HTTP if the health check is a path, otherwise whether the unit keeps running. */
function probeOf(app: string, name: string, unit: string, container: ContainerSettings): Probe {
  const { health } = container;
  if (typeof health === "object" && "http" in health)
    return { name: `${name} of ${app} is healthy`, http: `http://127.0.0.1:${published(container)}${health.http}` };
  if (typeof health === "object" && "tcp" in health) {
    const { address = LOOPBACK, publish = health.tcp } =
      publishedPorts(container).find(({ port, protocol }) => port === health.tcp && protocol === "tcp") ?? {};
    return { name: `${name} of ${app} accepts connections`, tcp: `${address === ALL ? LOOPBACK : address}:${publish}` };
  }
  return { name: `${name} of ${app} keeps running`, unit, seconds: 3 };
}
