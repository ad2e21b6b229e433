import type { File, Manifest, Probe } from "../host/manifest.ts";
import { secretsFolder, secretsHome } from "../host/secrets.ts";
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
import { configOf, HOMES, homeOf, quadletOf, releaseOf } from "./names.ts";
import { type AppSettings, type ContainerSettings, published } from "./schema.ts";

/** Where each container finds its secrets, one file each. */
const SECRETS = "/run/secrets";

/** A number of the host's, or its placeholder in a preview. */
export type Numeric = number | string;

/** A service whose socket the app uses. */
export interface Socket {
  unit: string;
  directory: string;
  gid: Numeric;
}

export interface AppView extends Pick<AppSettings, "containers" | "deadline"> {
  app: string;
  uid: Numeric;
  gid: Numeric;
  sockets: readonly Socket[];
  /** The generation of the secrets; undefined where no container has any. */
  secrets?: Numeric;
}

/** The first release of an app: another stack's app of the same name is refused here, before its account is touched. */
export const claimManifest = (): Manifest => ({
  directories: [{ path: HOMES, mode: "0711", owner: "root:root" }],
});

/** The secrets of each container in a folder of its own. */
export function secretsManifest(app: string, secrets: Record<string, Record<string, string>>): Manifest {
  const release = releaseOf(app, "secrets");
  const folder = secretsFolder(release, "{generation}");
  const secret = (container: string, name: string, content: string): File => ({
    path: `${folder}/${container}/${name}`,
    mode: "0400",
    owner: `${app}:${app}`,
    content,
  });
  return {
    data: [{ name: "secrets", path: secretsHome(release) }],
    files: Object.entries(secrets).flatMap(([container, files]) =>
      Object.entries(files).map(([name, content]) => secret(container, name, content)),
    ),
  };
}

/** The app's containers as they should be on the host: one alone, or several in a pod, on a network of their own. */
export function appManifest(view: AppView): Manifest {
  const { app, containers, deadline, secrets } = view;
  const entries = Object.entries(containers);
  const own = quadletOf(app);
  const pod = entries.length > 1;
  const quadletName = (container: string) => (pod ? quadletOf(app, container) : own);
  const restarts = [pod ? podUnit(own) : containerUnit(own)];
  const quadlet = (file: string, template: string, values: object, units = restarts): File => ({
    ...rendered(`${QUADLETS}/${file}`, "root:root", "0644", `etc/containers/systemd/${template}`, values),
    restarts: units,
  });
  const volumes = [...new Set(entries.flatMap(([, { volumes }]) => Object.values(volumes)))];
  const folder = secrets === undefined ? undefined : secretsFolder(releaseOf(app, "secrets"), secrets);
  const front = frontOf(view);
  return {
    deadline,
    // All of it: a volume that an app no longer has may hold something all the same.
    data: [{ name: "volumes", path: homeOf(app) }],
    directories: [homeOf(app), ...volumes.map((volume) => `${homeOf(app)}/${volume}`)].map((path) => ({
      path,
      mode: "0750",
      owner: `${app}:${app}`,
    })),
    images: [...new Set(entries.map(([, { image }]) => image))],
    files: [
      ...entries
        .filter(([, { environment }]) => Object.keys(environment).length > 0)
        .map(([name, { environment }]) => ({
          ...rendered(environmentFile(app, name), "root:root", "0644", "etc/apps/app/container.env", {
            variables: Object.entries(environment),
          }),
          restarts,
        })),
      quadlet(networkFile(own), "app.network", { app, network: own }, [networkUnit(own), ...restarts]),
      ...(pod ? [quadlet(podFile(own), "app.pod", { app, pod: own, ...front })] : []),
      ...entries.map(([name, container]) =>
        quadlet(containerFile(quadletName(name)), "app.container", {
          name: quadletName(name),
          pod: pod ? podFile(own) : "",
          ...front,
          ...containerView(view, name, container, folder),
        }),
      ),
    ],
    refers: folder ? [folder] : [],
    units: [
      { name: networkUnit(own) },
      ...(pod ? [{ name: podUnit(own) }] : []),
      ...entries.map(([name]) => ({ name: containerUnit(quadletName(name)) })),
    ],
    probes: entries.map(([name, container]) => probeOf(app, name, containerUnit(quadletName(name)), container)),
  };
}

const environmentFile = (app: string, container: string) => `${configOf(app)}/${container}.env`;

/** What an app has to do with the host: it stands in the pod's file, or in that of a container alone. */
const frontOf = ({ app, sockets, containers }: AppView) => ({
  services: sockets.map(({ unit }) => unit),
  network: networkFile(quadletOf(app)),
  // On the host's loopback alone.
  ports: Object.values(containers).flatMap((container) =>
    container.port === undefined ? [] : [{ host: published(container), container: container.port }],
  ),
});

/** What stands in a container's file whether it is alone or in a pod. */
function containerView(
  { app, uid, gid, sockets, deadline }: AppView,
  name: string,
  { image, command, environment, secrets, volumes, health }: ContainerSettings,
  folder: string | undefined,
) {
  return {
    image,
    command,
    uid,
    gid,
    groups: sockets.map(({ gid }) => gid),
    environmentFile: Object.keys(environment).length > 0 ? environmentFile(app, name) : "",
    volumes: [
      ...sockets.map(({ directory }) => ({ host: directory, container: directory, options: "" })),
      ...Object.entries(volumes).map(([path, volume]) => ({
        host: `${homeOf(app)}/${volume}`,
        container: path,
        options: "",
      })),
      ...(Object.keys(secrets).length > 0 ? [{ host: `${folder}/${name}`, container: SECRETS, options: ":ro" }] : []),
    ],
    // A JSON list, which Podman runs as it is: not every image has a shell.
    health: Array.isArray(health) ? JSON.stringify(health) : "",
    deadline,
  };
}

/** Asked from the host: over HTTP where that is what healthy means, else whether the unit keeps running. */
function probeOf(app: string, name: string, unit: string, container: ContainerSettings): Probe {
  const { health } = container;
  if (health && !Array.isArray(health))
    return { name: `${name} of ${app} is well`, http: `http://127.0.0.1:${published(container)}${health.http}` };
  return { name: `${name} of ${app} keeps running`, unit, seconds: 3 };
}
