// Names for the parts of an app on the host. Releases, units, containers and site fragments have a prefix, which no
// name of the platform has: an app called `cron` must not become cron.service.

/** The name of a release. All except the app's main release contain the part, such as `app-grafana-valkey`. */
export const releaseOf = (app: string, part?: Part) => (part ? `app-${app}-${part}` : `app-${app}`);
export const PARTS = ["secrets", "postgres", "valkey"] as const;
export type Part = (typeof PARTS)[number];

/** The name of a Quadlet. Without `container`: that of the network, and of the pod or the single container. */
export const quadletOf = (app: string, container?: string) => (container ? `app-${app}-${container}` : `app-${app}`);

/**
 * The name of a secret in Podman. No name of an app or a container has a dot, so that those of two apps are never the
 * same: Podman would give one of them the other's.
 */
export const secretOf = (app: string, container: string, variable: string) =>
  `${quadletOf(app)}.${container}.${variable}`;

/** Parent directory of the data of all apps. */
export const HOMES = "/var/lib/apps";
export const homeOf = (app: string) => `${HOMES}/${app}`;
export const folderOf = (app: string, folder: string) => `${homeOf(app)}/${folder}`;
/** Mount point of the directory that Caddy serves. */
export const servedOf = (app: string) => `/run/apps/${app}`;
/** The file server of an app, and its socket for Caddy. */
export const filesOf = (app: string) => ({
  unit: `files-${app}.service`,
  runtime: `files-${app}`,
  socket: `/run/files-${app}/caddy.sock`,
});
export const configOf = (app: string) => `/etc/apps/${app}`;

/** The app's own Valkey: its account (with a group of the same name), unit and directories. */
export const valkeyOf = (app: string) => ({
  account: `${app}-valkey`,
  unit: `valkey-${app}.service`,
  socketDirectory: `/run/valkey-${app}`,
  data: homeOf(`${app}-valkey`),
});
