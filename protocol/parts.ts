// The tables of a manifest, defined once for every reader and writer. Their descriptions also appear in
// docs/manifest.md.
import { z } from "zod";

/** Schemas for keys. `description` is the meaning, `without` the effect of omitting the key. */
const text = (description: string) => z.string().meta({ description });
const texts = (description: string) => z.array(z.string()).meta({ description });
const maybe = (description: string, without = "none") => z.string().optional().meta({ description, without });
const list = (description: string, without?: string) => z.array(z.string()).default([]).meta({ description, without });
const root = (description: string) => z.string().default("root").meta({ description });
const name = text("For messages.");

const place = {
  path: text("Absolute, without `.` or `..`. In a secret file `{generation}` is the release's own generation."),
  mode: text("Octal, such as `0750`."),
  owner: text("`user:group`, names or numbers that the host knows."),
};

export const directory = z.object({
  ...place,
  formerly: maybe(
    "Where its data was under an earlier manifest. What is there is moved into it with all units of the release stopped, and that place is gone then; every rollback, and an older manifest, moves it back. What has a name that is taken keeps it with `.former` at its end. A link, or another file system, is refused before anything stops.",
  ),
});

export const file = z.object({
  ...place,
  content: text("The whole file."),
  secrets: list(
    "The secrets that the host puts into the content, one for each place `{{secrets NAME}}` in it, in that order. NAME is `RELEASE/FILE`: that file in each generation of secrets on the host, newest first, with a blank between; or `RELEASE/GENERATION/FILE`: that of one generation, which `refers` keeps. RELEASE is of the same stack and `gives` to this release. In a file without `secrets` such a text is a text.",
  ),
  restarts: list(
    "Units to restart when the file changes. Wins over `reloads`. Timers are stopped before any file changes. A file that goes starts no unit that is not the release's and does not run.",
  ),
  reloads: list(
    "Units to reload; one that does not run is started. Those that are no units of this release are reloaded last, once its own are up, its steps done and its own probes passed; one that does not run is left alone.",
  ),
  rotation: maybe(
    "While the word equals the live manifest's, the host keeps the content that it has.",
    "always written",
  ),
  opens: maybe(
    "The place of a repository of backups that the content is the passphrase of. The passphrase that opened it on this host before is written instead; without `rotation` another content than that is refused. The answer has it in `opens`, by place.",
  ),
});

export const image = z.object({
  reference: text("As `podman pull` takes it."),
  series: maybe("Such as `2026.8`: what migrates its data one series at a time."),
  follows: list(
    "The series that an image of this one may take the place of, besides its own; of another one it is refused.",
  ),
});

export const step = z.object({
  name,
  exec: texts("Must be idempotent: it runs at every apply that has anything to do, a reworded manifest included."),
  user: root("The account that runs it."),
  stdin: z.string().default("").meta({ description: "Its input.", without: "empty" }),
});

export const guard = z.object({
  name,
  units: texts("Stopped before `save` and before `restore`; restarted with the new image."),
  save: texts("Command that makes a copy. Its failure ends the apply with the old image."),
  restore: texts(
    "Part of every rollback once the new image may have been started. An interrupted rollback runs again: where the data is restored already it must change nothing, and succeed.",
  ),
  user: root("The account that runs both."),
  images: list("The references whose change makes it used.", "all of the manifest's"),
});

const held = { name, unit: text("The unit whose restart it is about. One that does not run is not counted.") };

export const holding = z.union([
  z.object({
    ...held,
    user: root("The account that runs `exec`, or Valkey's."),
    exec: texts(
      "Counts before the restart, and once the release is healthy: lines of a number and what it is the number of. Where it fails before, nothing is compared.",
    ),
  }),
  z.object({
    ...held,
    user: root("The account that runs `exec`, or Valkey's."),
    socket: text("Where Valkey listens. One that was set up by hand is asked where its own file says."),
    config: text("Its file of settings."),
    data: text(
      "Its folder of data. While the restart is under way a copy is in `.before` there, after a rollback what the failed server wrote is in `.failed`.",
    ),
    appendonly: z.boolean().default(false).meta({
      description:
        "Whether it reads the append-only file at its start. All keys are written to that file, or to dump.rdb, right before the restart, while clients that write wait.",
    }),
    login: maybe("The user that asks it.", "the default user"),
    passwords: maybe("The files with the password of `login`: a path with `*` for each generation."),
  }),
]);

const kept = { name: text("Of the copy's folder: lower-case letters, digits, dots, dashes.") };

export const data = z.union([
  z.object({
    ...kept,
    path: text(
      "A folder, of three names or more, reached by no link and without a mount in it. Its copy is a .tar.gz.",
    ),
    before: list(
      "Command that makes the folder whole right before it is backed up, such as one that has a server write its snapshot. Must succeed where the server does not run, within five minutes; else the backup goes on and names the release. Only with `path`.",
    ),
    after: list("Command that undoes `before` once the folder is backed up, or could not be. Only with `path`."),
  }),
  z.object({
    ...kept,
    save: texts("Command that copies it into the folder `{dump}`."),
    drop: texts("Command that deletes it; must succeed where it is gone already."),
    user: root("The account that runs the commands."),
    database: maybe("The database of PostgreSQL that it is. Only with `save` and `drop`."),
  }),
]);

export const check = z.object({
  name,
  tree: text("The directory that is copied, with owners and modes."),
  exec: texts("Must succeed. With `ready`: a server, started and ended again."),
  ready: list("Must succeed within 30 seconds while the server runs."),
  prepare: list("Runs before `exec` and must succeed."),
  user: root("The account that runs all three, with its supplementary groups."),
  group: maybe("Primary group.", "the user's own"),
});

export const unit = z.object({
  name: text(
    "Started when it does not run; must be active for the release to be healthy. Stopped when it leaves the manifest; with a timer, what it has started.",
  ),
  enabled: z.boolean().optional().meta({
    description: "Enabled or disabled. Left out for units that a generator makes.",
    without: "not touched",
  }),
});

export const probe = z.object({
  name,
  exec: list("Must succeed within 5 seconds."),
  user: root("The account that runs `exec`."),
  http: maybe(
    "A URL (http or https; certificates are not judged) that must answer `status`. Redirects are not followed.",
  ),
  status: z.int().optional().meta({ description: "The status of the answer.", without: "any 2xx" }),
  body: maybe("What the answer must contain, in its first 64 KiB.", "any"),
  connect: maybe("`address:port` to ask in place of the URL's.", "the URL's own"),
  tcp: maybe("`address:port` that must accept a connection."),
  socket: maybe("A Unix socket that must accept a connection."),
  unit: maybe(
    "A unit that must have run for `seconds` since it was last started. A unit with `Restart=always` that ends again and again is active at most moments, but never for long.",
  ),
  seconds: z.int().default(5).meta({ description: "Less than the deadline." }),
  through: maybe(
    "The unit of another release that it needs, which a file here reloads. It is asked once that one is reloaded, and in no other apply.",
  ),
});
