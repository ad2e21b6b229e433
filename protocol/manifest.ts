// The manifest of a release, as the agent reads it. docs/manifest.md explains each key.
import { sealed, type Table, toml } from "./document.ts";

/** The manifest format of this program. An agent that speaks a newer one refuses to be replaced. */
export const PROTOCOL = 1;

interface Owned {
  path: string;
  mode: string;
  owner: string;
}

/** A directory that holds data: made when missing, never deleted. */
export interface Directory extends Owned {
  /**
   * Where its data lay under an earlier version: what is there is moved into it with the release's units stopped, and back
   * with everything else, such as "/var/lib/authentik/media". @default - it always lay here
   */
  formerly?: string;
}

/** A file, and the units that a change of it concerns. */
export interface File extends Owned {
  content: string;
  /**
   * The secrets that the host puts into the content, in the order of their places, as secretPlace() makes these:
   * `RELEASE/FILE` in each generation that is in use, or `RELEASE/GENERATION/FILE`. Without it what looks like a place is
   * text. @default none
   */
  secrets?: readonly string[];
  /** @default none - the change restarts nothing */
  restarts?: readonly string[];
  /** Those of other releases are reloaded last, once this one is well by itself. @default none - the change reloads nothing */
  reloads?: readonly string[];
  /** While this word stays the same the host keeps the content it has. @default - the content is always written */
  rotation?: string;
  /**
   * The repository of backups, by its place, that the content is the passphrase of. One that opened it on this host before is
   * written instead; without `rotation` another content than that is refused. @default - it opens none
   */
  opens?: string;
}

/** A command that judges `{tree}`, a copy of `tree` with the changes in it, before anything goes live. */
export interface Check {
  name: string;
  tree: string;
  exec: readonly string[];
  /** @default "root" */
  user?: string;
  /** @default the user's own group */
  group?: string;
  /** Runs before `exec`. @default nothing */
  prepare?: readonly string[];
  /** With it, `exec` is a server that must come up until `ready` succeeds. @default `exec` itself must succeed */
  ready?: readonly string[];
}

/** An image of a container. */
export interface Image {
  reference: string;
  /** With it, the image takes the place of one of the same series or of those that it `follows`, and of no other. */
  series?: string;
  follows?: readonly string[];
}

/**
 * What a new image may change for ever; saved before, restored on the way back. A way back that was killed is gone
 * again, so `restore` must leave alone what it has restored already, and succeed.
 */
export interface Guard {
  name: string;
  units: readonly string[];
  save: readonly string[];
  restore: readonly string[];
  user: string;
  /** Those of the manifest's images whose change may alter it. @default all */
  images?: readonly string[];
}

/** What a unit holds. A restart of the release's after which it is less is not healthy, and goes back. */
export type Holding =
  | {
      name: string;
      unit: string;
      /** Counts it, in lines of a number and what that is the number of, which it must not become less of. */
      exec: readonly string[];
      user: string;
    }
  | {
      /** The keys of a Valkey. Before the restart they are written into the file that it reads afterwards. */
      name: string;
      unit: string;
      /** The server's account. */
      user: string;
      socket: string;
      /** Its file of settings. */
      config: string;
      /** Its folder of data. */
      data: string;
      /** Whether that file is the append-only file, and not the snapshot. */
      appendonly: boolean;
      /** The user whose password is in the files `passwords`, a path with `*` for each generation. @default - the default user, without one */
      login?: string;
      passwords?: string;
    };

/**
 * What stays on the host when the release goes, and what is backed up: a folder, or what commands copy and delete. Of a
 * release with `purge` it goes too, once there is a copy below /var/backups/gatehouse.
 */
export type Data =
  | {
      name: string;
      path: string;
      /** A command that makes the folder whole right before it is backed up. @default nothing */
      before?: readonly string[];
      /** A command that undoes `before` once the folder is backed up. @default nothing */
      after?: readonly string[];
    }
  | {
      /** Of the copy's folder. */
      name: string;
      /** Copies it into the folder `{dump}`. */
      save: readonly string[];
      /** Deletes it; must succeed where it is gone already. */
      drop: readonly string[];
      user: string;
      /** The database of PostgreSQL that it is: the backup of the cluster has it already. @default - none */
      database?: string;
    };

/** A unit that runs because of the release. */
export interface Unit {
  name: string;
  /** @default - not touched; units that a generator makes cannot be enabled */
  enabled?: boolean;
}

/** A command that runs at every apply once the units are up. Must be idempotent; a rollback does not undo it. */
export interface Step {
  name: string;
  exec: readonly string[];
  /** @default "root" */
  user?: string;
  /** @default empty */
  stdin?: string;
}

/** What healthy means: one of `exec`, `http`, `tcp`, `socket` and `unit`. */
export interface Probe {
  name: string;
  exec?: readonly string[];
  /** The user of `exec`. @default "root" */
  user?: string;
  /** A URL that must answer `status`, with `body` somewhere in its first 64 KiB. */
  http?: string;
  /** @default - any 2xx */
  status?: number;
  /** @default - any */
  body?: string;
  /** `address:port` to ask in place of the URL's own. @default the URL's own */
  connect?: string;
  /** `address:port` that must accept a connection. */
  tcp?: string;
  /** A Unix socket that must accept a connection. */
  socket?: string;
  /** A unit that must have run for `seconds` without a restart: one that flaps runs at most moments, and is never well. */
  unit?: string;
  /** @default 5 */
  seconds?: number;
  /**
   * The unit of another release that it needs, which a file reloads: asked once that one is told, and only in an apply that
   * tells it. @default - it needs none
   */
  through?: string;
}

/** All that a service is on the host. */
export interface Manifest {
  /** Seconds from the start of the units until the last probe must have passed. @default 60 */
  deadline?: number;
  directories?: readonly Directory[];
  /** Found or pulled before anything running is stopped. */
  images?: readonly Image[];
  /** Run before anything is checked: they make what must be there, such as a cluster of PostgreSQL's. Must be idempotent. */
  preparations?: readonly Step[];
  files?: readonly File[];
  /** `ADDRESS:PORT/tcp` or `/udp`, with `*` for all addresses, at which its units listen and nobody else may. @default none */
  listens?: readonly string[];
  /** Folders of secrets, one generation each, that must be kept as long as this manifest is. */
  refers?: readonly string[];
  /** The releases of the stack whose files may have secrets of this one in them. @default none */
  gives?: readonly string[];
  checks?: readonly Check[];
  guards?: readonly Guard[];
  holdings?: readonly Holding[];
  data?: readonly Data[];
  units?: readonly Unit[];
  steps?: readonly Step[];
  probes?: readonly Probe[];
}

/**
 * The document for `gatehouse release`. `owner` is the resource that may change and delete the release; `takes` is what it
 * takes over though gatehouse did not make it.
 */
export function manifestDocument(
  release: string,
  owner: string,
  secret: boolean,
  manifest: Manifest,
  takes?: readonly string[],
): string {
  const table: Table = {
    release,
    owner,
    protocol: PROTOCOL,
    deadline: manifest.deadline,
    secret: secret || undefined,
    listens: manifest.listens?.length ? [...manifest.listens] : undefined,
    takes: takes && [...takes],
    refers: manifest.refers?.length ? [...manifest.refers] : undefined,
    gives: manifest.gives?.length ? [...manifest.gives] : undefined,
    directory: rows(manifest.directories),
    image: rows(manifest.images),
    preparation: rows(manifest.preparations),
    file: rows(manifest.files),
    check: rows(manifest.checks),
    guard: rows(manifest.guards),
    holding: rows(manifest.holdings),
    data: rows(manifest.data),
    unit: rows(manifest.units),
    step: rows(manifest.steps),
    probe: rows(manifest.probes),
  };
  return sealed(toml(table));
}

// An interface is no index signature to TypeScript; each row above is a table all the same.
const rows = (list: readonly object[] | undefined) => list as readonly Table[] | undefined;
