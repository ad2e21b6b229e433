import type { File, Manifest, Probe } from "../host/manifest.ts";
import { secretsFolder } from "../host/secrets.ts";
import { containerFile, containerUnit, podFile, podUnit, QUADLETS } from "../quadlet/quadlet.ts";
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
  const folder = secretsFolder(releaseOf(app, "secrets"), "{generation}");
  const secret = (container: string, name: string, content: string): File => ({
    path: `${folder}/${container}/${name}`,
    mode: "0400",
    owner: `${app}:${app}`,
    content,
  });
  return {
    files: Object.entries(secrets).flatMap(([container, files]) =>
      Object.entries(files).map(([name, content]) => secret(container, name, content)),
    ),
  };
}

/** The app's containers as they should be on the host: one alone, or several in a pod. */
export function appManifest(view: AppView): Manifest {
  const { app, containers, deadline, secrets } = view;
  const entries = Object.entries(containers);
  const pod = entries.length > 1 ? quadletOf(app) : undefined;
  const restarts = [pod ? podUnit(pod) : containerUnit(quadletOf(app))];
  const quadletName = (container: string) => (pod ? quadletOf(app, container) : quadletOf(app));
  const volumes = [...new Set(entries.flatMap(([, { volumes }]) => Object.values(volumes)))];
  const folder = secrets === undefined ? undefined : secretsFolder(releaseOf(app, "secrets"), secrets);
  const quadlet = (file: string, template: string, values: object): File => ({
    ...rendered(`${QUADLETS}/${file}`, "root:root", "0644", `etc/containers/systemd/${template}`, values),
    restarts,
  });
  return {
    deadline,
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
      ...(pod ? [quadlet(podFile(pod), "app.pod", { app, pod, ...startOf(view), ports: portsOf(view) })] : []),
      ...entries.map(([name, container]) =>
        quadlet(containerFile(quadletName(name)), "app.container", {
          app,
          name: quadletName(name),
          ...(pod
            ? { pod: podFile(pod), services: [], ports: [] }
            : { pod: "", ...startOf(view), ports: portsOf(view) }),
          ...containerView(view, name, container, folder),
        }),
      ),
    ],
    refers: folder ? [folder] : [],
    units: [
      ...(pod ? [{ name: podUnit(pod) }] : []),
      ...entries.map(([name]) => ({ name: containerUnit(quadletName(name)) })),
    ],
    probes: entries.map(([name, container]) => probeOf(app, name, containerUnit(quadletName(name)), container)),
  };
}

const environmentFile = (app: string, container: string) => `${configOf(app)}/${container}.env`;

const startOf = ({ sockets }: AppView) => ({ services: sockets.map(({ unit }) => unit) });

/** Every port that leaves the app's network, which it does on the host's loopback alone. */
const portsOf = ({ containers }: AppView) =>
  Object.values(containers).flatMap((container) =>
    container.port === undefined ? [] : [{ host: published(container), container: container.port }],
  );

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
