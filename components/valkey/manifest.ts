import { createHash } from "node:crypto";
import type { Check, File, Manifest } from "../../protocol/manifest.ts";
import { secretPlace, secretsFolder } from "../../protocol/secrets.ts";
import type { Distribution } from "../distribution/distribution.ts";
import { rendered } from "../render/render.ts";
import { socketFolder } from "../render/sockets.ts";

type Names = Distribution["valkey"];

/**
 * The agent's user. It reloads the ACLs, saves the data, counts the keys before and after a restart, and cannot read
 * keys.
 */
export const AGENT_USER = "gatehouse";
/** The port in the template. */
const PORT = 6379;

/** Permissions of an application: all commands for data, none that affect other users or stop the server. */
const APPLICATION_RULES = "~* &* +@all -@admin -@dangerous +info +keys +sort";
const AGENT_RULES =
  "resetkeys resetchannels -@all +acl|load +save +bgrewriteaof +config|set +info +client|pause +client|unpause";

/** The release with a user's secrets. */
export const secretsOf = (user: string) => `valkey-${user}`;

/** Name of the secret that contains a user's hash. */
const hashOf = (user: string) => `${secretsOf(user)}/hash`;

/** A user's password as the hash that Valkey stores; the agent's also in plain text, for its reload script. */
export function userSecrets(user: string, password: string, rotation: number): Manifest {
  const secret = (name: string, content: string): File => ({
    path: `${secretsFolder(secretsOf(user), "{generation}")}/${name}`,
    mode: "0400",
    owner: "root:root",
    content,
    rotation: String(rotation),
  });
  return {
    files: [
      secret("hash", `#${createHash("sha256").update(password).digest("hex")}`),
      // Only the agent needs its password here; an application has its own copy.
      ...(user === AGENT_USER ? [secret("password", password)] : []),
    ],
  };
}

export interface ValkeyView {
  clientsGroup: string;
  settings: Record<string, string | number | boolean>;
  databaseCount: number;
  /** Names of the applications, sorted. */
  applications: readonly string[];
  /** Version of each user's secrets, including the agent's; a placeholder in a preview. */
  generations: Record<string, number | string>;
}

/** The manifest of Valkey. */
export function valkeyManifest(names: Names, view: ValkeyView): Manifest {
  const { unit, user, config } = names;
  const owner = `${user}:${user}`;
  const socket = `${names.socketDirectory}/valkey.sock`;
  const libexec = "/usr/local/libexec/gatehouse";
  const program = socketFolder("valkey");
  const opened = { program: program.path, folder: names.socketDirectory, owner: `${user}:${view.clientsGroup}` };
  const users = [
    { name: AGENT_USER, rules: AGENT_RULES },
    ...view.applications.map((name) => ({ name, rules: APPLICATION_RULES })),
  ];
  const passwords = `${secretsFolder(secretsOf(AGENT_USER), "*")}/password`;
  const agent = { socket, user: AGENT_USER, passwords };
  const folders = [names.data, ...(names.log ? [names.log] : [])];
  return {
    listens: [`127.0.0.1:${PORT}/tcp`],
    data: [{ name: "snapshot", path: names.data, before: [`${libexec}/valkey-save`] }],
    holdings: [
      {
        name: "Valkey's keys",
        unit,
        user,
        socket,
        config: `${config}/valkey.conf`,
        data: names.data,
        appendonly: String(view.settings.appendonly).toLowerCase() === "yes",
        login: AGENT_USER,
        passwords,
      },
    ],
    // Clients are in the server's group, so only the server's user may access its directories.
    directories: [
      // Owned by root: the server only needs to read its configuration.
      { path: config, mode: "0711", owner: "root:root" },
      ...folders.map((path) => ({ path, mode: "0700", owner })),
    ],
    files: [
      {
        ...rendered(`${config}/valkey.conf`, owner, "0600", "etc/valkey/valkey.conf", {
          socket,
          data: names.data,
          acl: `${config}/users.acl`,
          databaseCount: view.databaseCount,
          settings: Object.entries(view.settings).sort(([a], [b]) => (a < b ? -1 : 1)),
        }),
        restarts: [unit],
      },
      {
        ...rendered(`${config}/users.acl`, owner, "0600", "etc/valkey/users.acl", {
          users: users.map(({ name, rules }) => ({ name, rules, hashes: secretPlace(hashOf(name)) })),
        }),
        secrets: users.map(({ name }) => hashOf(name)),
        reloads: [unit],
      },
      {
        ...rendered(
          `/etc/systemd/system/${unit}.d/gatehouse.conf`,
          "root:root",
          "0644",
          "etc/systemd/system/valkey.service.d/gatehouse.conf",
          {
            ...opened,
            group: view.clientsGroup,
            reload: `${libexec}/valkey-reload`,
            lines: names.service ?? [],
          },
        ),
        restarts: [unit],
      },
      {
        ...rendered(
          `${libexec}/valkey-reload`,
          "root:root",
          "0755",
          "usr/local/libexec/gatehouse/valkey-reload",
          agent,
        ),
      },
      {
        ...rendered(`${libexec}/valkey-save`, "root:root", "0755", "usr/local/libexec/gatehouse/valkey-save", {
          ...agent,
          unit,
        }),
      },
      { ...program, restarts: [unit] },
      {
        ...rendered(
          "/etc/systemd/system/valkey-socket-fix.service",
          "root:root",
          "0644",
          "etc/systemd/system/valkey-socket-fix.service",
          { ...opened, unit },
        ),
        restarts: ["valkey-socket-fix.service"],
      },
      ...(names.tmpfiles
        ? [rendered(names.tmpfiles, "root:root", "0644", "etc/tmpfiles.d/valkey.conf", { user, config, folders })]
        : []),
    ],
    refers: users.map(({ name }) => secretsFolder(secretsOf(name), view.generations[name] as number)),
    checks: [scratchServer(names, view.clientsGroup)],
    units: [
      { name: unit, enabled: true },
      { name: "valkey-socket-fix.service", enabled: true },
    ],
    probes: [
      { name: "Valkey accepts connections on its socket", socket },
      { name: "Valkey answers", exec: ["valkey-cli", "-s", socket, "ping"] },
    ],
  };
}

/** Valkey cannot validate its configuration; the check starts a scratch server with it. */
function scratchServer({ config, user }: Names, group: string): Check {
  const overrides = {
    port: "0",
    unixsocket: "{scratch}/valkey.sock",
    dir: "{scratch}",
    save: "",
    appendonly: "no",
    aclfile: "{tree}/users.acl",
    pidfile: "{scratch}/valkey.pid",
    logfile: "",
  };
  return {
    name: "a scratch Valkey starts with the new files",
    tree: config,
    user,
    group,
    exec: [
      "valkey-server",
      "{tree}/valkey.conf",
      ...Object.entries(overrides).flatMap(([name, value]) => [`--${name}`, value]),
    ],
    ready: ["valkey-cli", "-s", "{scratch}/valkey.sock", "ping"],
  };
}
