// What the parts of an app are called on the host. Releases, units, containers and site fragments carry a prefix: an app
// called `cron` must not become cron.service, and no name of the platform's own begins like that.

/** Every release but the app's own also has the part of the app that it is, such as `app-grafana-valkey`. */
export const releaseOf = (app: string, part?: Part) => (part ? `app-${app}-${part}` : `app-${app}`);
export const PARTS = ["secrets", "postgres", "valkey"] as const;
export type Part = (typeof PARTS)[number];

/** The Quadlet of the app itself, and the unit that is restarted when anything of it changes. */
export const quadletOf = (app: string, container?: string) => (container ? `app-${app}-${container}` : `app-${app}`);

/** Where all apps keep their data, each in a folder of its own. */
export const HOMES = "/var/lib/apps";
export const homeOf = (app: string) => `${HOMES}/${app}`;
export const folderOf = (app: string, folder: string) => `${homeOf(app)}/${folder}`;
/** Where the folder that Caddy serves is mounted. */
export const servedOf = (app: string) => `/run/apps/${app}`;
/** Who serves the files in it, and the socket at which Caddy asks. */
export const filesOf = (app: string) => ({
  unit: `files-${app}.service`,
  runtime: `files-${app}`,
  socket: `/run/files-${app}/caddy.sock`,
});
export const configOf = (app: string) => `/etc/apps/${app}`;

/** The app's own Valkey: its account, which has a group of the same name, its unit and its places. */
export const valkeyOf = (app: string) => ({
  account: `${app}-valkey`,
  unit: `valkey-${app}.service`,
  socketDirectory: `/run/valkey-${app}`,
  data: homeOf(`${app}-valkey`),
});
