// The tables of a manifest, defined once for every reader and writer. Their descriptions also appear in
// docs/manifest.md.
import { z } from "zod";

/** Schemas for keys. `description` is the meaning, `without` the effect of omitting the key. */
const text = (description: string) => z.string().meta({ description });
const texts = (description: string) => z.array(z.string()).meta({ description });
const maybe = (description: string, without = "none") => z.string().optional().meta({ description, without });
const list = (description: string, without?: string) => z.array(z.string()).default([]).meta({ description, without });
const root = (description: string) => z.string().default("root").meta({ description });
const name = text("Name used in messages.");

const place = {
  path: text(
    "Absolute path, without `.` or `..`. In the path of a secret file, `{generation}` is the generation of the release.",
  ),
  mode: text("Octal mode, such as `0750`."),
  owner: text("`user:group`, each a number or a name that exists on the host."),
};

export const directory = z.object({
  ...place,
  formerly: maybe(
    "Path of the directory in an earlier manifest. Its contents are moved to the new path while all units of the release are stopped, and the old directory is removed. Every rollback, and an older manifest, moves them back. An entry with a name that is already in use at the new path gets the suffix `.former`. If the old directory is a symbolic link or on another file system, the apply is refused before any unit stops.",
  ),
  reader: maybe(
    "Account that reads what an operator puts into the directory. `gatehouse verify` names the files that it cannot read.",
  ),
});

export const file = z.object({
  ...place,
  content: text("Complete content of the file."),
  secrets: list(
    "Secrets that the host inserts into the content, one for each `{{secrets NAME}}` in it, in the same order. NAME is `RELEASE/FILE` for that file of every generation of secrets on the host, newest first, separated by blanks; or `RELEASE/GENERATION/FILE` for one generation, which `refers` keeps. RELEASE must belong to the same stack and, if it is another release, list this one in its `gives`. In a file without `secrets`, `{{secrets NAME}}` is ordinary text.",
  ),
  restarts: list(
    "Units to restart when the file changes; takes precedence over `reloads`. Timers among them are stopped before any file changes. Removing the file does not start an inactive unit that is not part of the release.",
  ),
  reloads: list(
    "Units to reload when the file changes. An inactive unit of the release is started instead. Units of other releases are reloaded last, once the release's own units are up, its steps have run and its own probes have passed; inactive ones are left alone.",
  ),
  rotation: maybe(
    "Any text. While it is the same as in the live manifest, the host keeps the existing content.",
    "always written",
  ),
  opens: maybe(
    "Place of the backup repository that has the content as its passphrase. If another passphrase has opened the repository on this host before, the host writes that one instead; without `rotation`, it refuses the content. The answer contains the passphrase in `opens`, by place.",
  ),
});

export const image = z.object({
  reference: text("Image reference, as `podman pull` accepts it."),
  series: maybe("Release series, such as `2026.8`, of an image that migrates its data one series at a time."),
  follows: list(
    "Series that this image may replace, besides its own. An apply that would replace another series is refused.",
  ),
  version: maybe(
    "Version, such as `2026.8.3`, of an image that migrates its data: an older one may not be able to use the result. An apply that would replace a higher version is refused.",
  ),
  downgrade: z.boolean().default(false).meta({
    description:
      "Whether the image may replace one of a higher version, also of the series after its own: one that lists the image's series in `follows`.",
  }),
  permission: maybe(
    "Key of the configuration that sets `downgrade`, such as `authentik.allowDowngrade`: a refusal names it.",
  ),
});

export const step = z.object({
  name,
  exec: texts(
    "Command to run. It must be idempotent: it runs in every apply that has anything to do, even if only the wording of the manifest has changed.",
  ),
  user: root("Account that runs `exec`."),
  group: maybe("Primary group of `exec`.", "the user's own"),
  stdin: z.string().default("").meta({ description: "Standard input of `exec`.", without: "empty" }),
});

export const guard = z.object({
  name,
  units: texts("Units to stop before `save` and before `restore`. They are restarted with the new image."),
  save: texts("Command that copies the data. If it fails, the apply fails and the old image stays in use."),
  restore: texts(
    "Command that restores the copy in every rollback once the new image may have been started. An interrupted rollback runs again, so the command must be idempotent: succeed without changes if the data has already been restored.",
  ),
  user: root("Account that runs `save` and `restore`."),
  group: maybe("Primary group of both commands.", "the user's own"),
  images: list("References of the images that trigger the guard when they change.", "all of the manifest's"),
});

const held = {
  name,
  unit: text("Unit that must not lose data in a restart. If it is not running, nothing is counted."),
};

export const holding = z.union([
  z.object({
    ...held,
    user: root("Account that runs `exec`, or the account of Valkey."),
    exec: texts(
      "Command that prints counts, each line a number and the name of the counted objects. It runs before the restart, and again once the release is healthy. If it fails before the restart, nothing is compared.",
    ),
  }),
  z.object({
    ...held,
    user: root("Account that runs `exec`, or the account of Valkey."),
    socket: text(
      "Socket on which Valkey listens. If the file `config` of a manually configured Valkey specifies another socket or port, the agent connects there.",
    ),
    config: text("Configuration file of Valkey."),
    data: text(
      "Data directory of Valkey. During the restart it contains a copy of the data in `.before`; after a rollback, the files that the failed server wrote are in `.failed`.",
    ),
    appendonly: z.boolean().default(false).meta({
      description:
        "Whether Valkey reads the append-only file at startup. Right before the restart all keys are written to that file, or to dump.rdb if false, while writing clients wait.",
    }),
    login: maybe("Valkey user that the agent logs in as.", "the default user"),
    passwords: maybe("Files with the password of `login`, as a path with `*` for the generation."),
  }),
]);

const kept = { name: text("Name of the folder for the copy: lower-case letters, digits, dots and dashes.") };

export const data = z.union([
  z.object({
    ...kept,
    path: text(
      "Path of the folder, with at least three components. A purge copies the folder to a .tar.gz file; it is refused if the path contains a symbolic link or the folder contains a mount.",
    ),
    before: list(
      "Command that makes the folder consistent right before a backup, for example by making a server write a snapshot. It must also succeed if the server is not running. If it fails or takes more than five minutes, the backup continues and reports the release as incomplete. Only with `path`.",
    ),
    borrowed: z.boolean().default(false).meta({
      description:
        "Whether the folder is the operator's, listed in `borrowed`. It is backed up, and a restore replaces it, but a purge neither copies nor deletes it. Only with `path`, which may then have two components.",
    }),
    after: list("Command that undoes `before` after the backup of the folder, even if that failed. Only with `path`."),
  }),
  z.object({
    ...kept,
    save: texts("Command that copies the data into the folder `{dump}`."),
    drop: texts("Command that deletes the data. It must succeed if the data no longer exists."),
    user: root("Account that runs the commands."),
    database: maybe("Name of the database, if the data is a PostgreSQL database. Only with `save` and `drop`."),
  }),
]);

export const borrowed = z.object({
  path: text(
    "Absolute path of a folder or plain file of the operator. It must exist, and only root may be able to replace it or a folder above it; otherwise the apply is refused. A symbolic link is refused in place of a folder, since units wait for the mount of the path that they name.",
  ),
  readonly: z.boolean().default(false).meta({ description: "Whether the units only read it." }),
});

export const check = z.object({
  name,
  tree: text("Directory to copy, including owners and modes."),
  exec: texts(
    "Command that must succeed. With `ready`, it is a server that is started for the check and then stopped.",
  ),
  ready: list("Command that must succeed within 30 seconds while the server is running."),
  prepare: list("Command that runs before `exec` and must succeed."),
  user: root("Account that runs all three commands, with its supplementary groups."),
  group: maybe("Primary group of the commands.", "the user's own"),
});

export const unit = z.object({
  name: text(
    "Unit that is started if it is not running, and that must be active for the release to be healthy. It is stopped when it is removed from the manifest; with a timer, the units that the timer has started are also stopped.",
  ),
  enabled: z.boolean().optional().meta({
    description: "Whether to enable or disable the unit. Omit it for units that a generator creates.",
    without: "not touched",
  }),
});

export const probe = z.object({
  name,
  exec: list("Command that must succeed within 5 seconds."),
  user: root("Account that runs `exec`."),
  http: maybe("URL that must answer with `status`: http, or https with any certificate. Redirects are not followed."),
  status: z.int().optional().meta({ description: "HTTP status that the answer must have.", without: "any 2xx" }),
  body: maybe("Text that the first 64 KiB of the answer must contain.", "any"),
  connect: maybe("`address:port` to connect to instead of the address in the URL.", "the URL's own"),
  tcp: maybe("`address:port` that must accept a TCP connection."),
  socket: maybe("Unix socket that must accept a connection."),
  unit: maybe(
    "Unit that must have run for `seconds` since it was last started. A unit with `Restart=always` that exits again and again is active most of the time, but never for long.",
  ),
  seconds: z.int().default(5).meta({ description: "Seconds for which `unit` must have run; less than the deadline." }),
  through: maybe(
    "Unit of another release that the probe depends on; a file of this release must reload it. An apply runs the probe only after it has reloaded that unit.",
  ),
});
