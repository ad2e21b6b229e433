import type { Check, Manifest } from "../../protocol/manifest.ts";
import { rendered } from "../render/render.ts";
import { socketFolder } from "../render/sockets.ts";
import { HOMES_FOLDER } from "./folders.ts";
import { configOf, valkeyOf } from "./names.ts";
import type { AppSettings } from "./schema.ts";

/** A Valkey for one app. Only its account's group may use the socket; it has no TCP port. */
export function valkeyManifest(app: string, { maxmemory }: NonNullable<AppSettings["valkey"]>): Manifest {
  const { account, unit, socketDirectory, data } = valkeyOf(app);
  const config = configOf(app);
  const socket = `${socketDirectory}/valkey.sock`;
  const owner = `${account}:${account}`;
  const program = socketFolder(`valkey-${app}`);
  return {
    data: [{ name: "valkey", path: data, before: ["sh", "-c", save(unit, socket)] }],
    holdings: [
      {
        name: `keys of ${app}`,
        unit,
        user: account,
        socket,
        config: `${config}/valkey.conf`,
        data,
        appendonly: false,
      },
    ],
    // The app is in the server's group, so only the server's user may access the data.
    directories: [HOMES_FOLDER, { path: data, mode: "0700", owner }],
    files: [
      {
        ...rendered(`${config}/valkey.conf`, owner, "0600", "etc/apps/app/valkey.conf", {
          socket,
          maxmemory: maxmemory ?? "",
        }),
        restarts: [unit],
      },
      { ...program, restarts: [unit] },
      {
        ...rendered(`/etc/systemd/system/${unit}`, "root:root", "0644", "etc/systemd/system/valkey-app.service", {
          app,
          account,
          config: `${config}/valkey.conf`,
          program: program.path,
          folder: socketDirectory,
          data,
        }),
        restarts: [unit],
      },
    ],
    checks: [scratchServer(config, account)],
    units: [{ name: unit, enabled: true }],
    probes: [{ name: `${app} reaches its Valkey`, user: app, exec: ["valkey-cli", "-e", "-s", socket, "ping"] }],
  };
}

/** Writes a snapshot now. A server that is stopped wrote one when it stopped. */
const save = (unit: string, socket: string) => `systemctl is-active --quiet ${unit} || exit 0
for second in $(seq 60); do
  answer=$(valkey-cli -s ${socket} save)
  case $answer in OK) exit 0 ;; *"in progress"*) sleep 1 ;; *) break ;; esac
done
echo "$answer" >&2
exit 1
`;

/** Valkey cannot validate its configuration; the check starts a scratch server with it. */
function scratchServer(config: string, user: string): Check {
  const overrides = { unixsocket: "{scratch}/valkey.sock", dir: "{scratch}", save: "" };
  return {
    name: "a scratch Valkey starts with the new file",
    tree: config,
    user,
    exec: [
      "valkey-server",
      "{tree}/valkey.conf",
      ...Object.entries(overrides).flatMap(([name, value]) => [`--${name}`, value]),
    ],
    ready: ["valkey-cli", "-e", "-s", "{scratch}/valkey.sock", "ping"],
  };
}
