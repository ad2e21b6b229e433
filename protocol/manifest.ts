// The manifest of a release. This schema is its single definition: the types below, the plan's parser, the agent's
// dataclasses and the tables of docs/manifest.md are derived from it or checked against it.
import { z } from "zod";
import { sealed, type Table, toml } from "./document.ts";
import * as parts from "./parts.ts";

/** The manifest format of this program. An agent with a newer format refuses to be replaced. */
export const PROTOCOL = 1;

const list = (description: string) => z.array(z.string()).default([]).meta({ description });

/** A manifest as it is sent. The agent rejects unknown keys. */
export const manifestSchema = z.object({
  release: z.string().meta({ description: "Name of the release: lower-case letters, digits and dashes." }),
  owner: z.string().meta({
    description:
      "Resource that may change and remove the release, as `PROJECT/STACK/RESOURCE`. A resource of the same stack takes the release over by applying it; one of another stack must also list the former stack in `takes`. RESOURCE is the name of the release, followed by `@` and a checksum of the place of its component in the program if that has another name or a parent. Only the owner can remove the release.",
  }),
  protocol: z
    .int()
    .meta({ description: `Version of the manifest format: \`${PROTOCOL}\`. Any other number is refused.` }),
  deadline: z.int().default(60).meta({
    description:
      "Seconds from the start of the units until all probes must have passed. Reloads of units of other releases, and the probes `through` them, have the same time again.",
  }),
  secret: z.boolean().default(false).meta({
    description:
      "Whether the content of the files is secret. It is then masked in output, and the release is removed only with `--purge`.",
  }),
  listens: list(
    "Ports on which the units listen, as `ADDRESS:PORT/tcp` or `ADDRESS:PORT/udp`, with `*` for all addresses.",
  ),
  takes: list(
    "Objects to take over: `file PATH`, `unit NAME`, `pod NAME`, `container NAME`, `volume NAME`, `port ADDRESS:PORT/PROTOCOL` or `stack PROJECT/STACK`. The apply is refused if another such object has a name that the release needs and belongs to no release, unless it is as its package installed it.",
  ),
  refers: list(
    "Folders of secrets of this stack, one generation each, that are kept as long as this manifest is live.",
  ),
  gives: list("Releases of the same stack that may have secrets of this release in their files."),
  leaves: list(
    "Databases and roles of PostgreSQL that the steps create, as `database NAME` and `role NAME`. They stay when the release is removed, and [`gatehouse leave`](operations.md#what-stays-after-a-destroy) lists them. Entries of `data` are listed in any case.",
  ),
  directory: z.array(parts.directory).default([]),
  image: z.array(parts.image).default([]),
  preparation: z.array(parts.step).default([]),
  file: z.array(parts.file).default([]),
  check: z.array(parts.check).default([]),
  guard: z.array(parts.guard).default([]),
  holding: z.array(parts.holding).default([]),
  data: z.array(parts.data).default([]),
  borrowed: z.array(parts.borrowed).default([]),
  unit: z.array(parts.unit).default([]),
  step: z.array(parts.step).default([]),
  probe: z.array(parts.probe).default([]),
});
export type ManifestDocument = z.input<typeof manifestSchema>;

/** Maps the program's list names to the table names, in the order in which the tables are sent. */
const LISTS = {
  directories: "directory",
  images: "image",
  preparations: "preparation",
  files: "file",
  checks: "check",
  guards: "guard",
  holdings: "holding",
  data: "data",
  borrowed: "borrowed",
  units: "unit",
  steps: "step",
  probes: "probe",
} as const;
type Lists = typeof LISTS;
type Row<Name extends Lists[keyof Lists]> = Listed<NonNullable<ManifestDocument[Name]>[number]>;
/** The same with readonly lists. */
type Listed<T> = T extends object ? { [K in keyof T]: T[K] extends string[] | undefined ? Constant<T[K]> : T[K] } : T;
type Constant<T> = T extends string[] ? readonly string[] : T;

/** A directory that the release creates, with its mode and owner. */
export type Directory = Row<"directory">;
/** A file that the release owns, with its content, and the units that restart or reload when it changes. */
export type File = Row<"file">;
export type Image = Row<"image">;
/** A check of new files before they go live, such as a program that validates its configuration. */
export type Check = Row<"check">;
/** What saves data before a change that cannot be undone, and restores it in a rollback. */
export type Guard = Row<"guard">;
export type Holding = Row<"holding">;
export type Data = Row<"data">;
/** A folder or file of the operator that the units use. */
export type Borrowed = Row<"borrowed">;
/** A systemd unit that the release starts. */
export type Unit = Row<"unit">;
/** A command that the release runs while its units are up, such as one that creates a role. */
export type Step = Row<"step">;
/** A health check: a command, a URL or a socket. The release is rolled back if one does not pass in time. */
export type Probe = Row<"probe">;

/** The complete state of a service on the host, as the program declares it. */
export type Manifest = { readonly [Plural in keyof Lists]?: readonly Row<Lists[Plural]>[] } & Listed<
  Pick<ManifestDocument, "deadline" | "listens" | "refers" | "gives" | "leaves">
>;

/** A parsed manifest: with every default, and without keys from other versions of the program. */
export type Read = { [Plural in keyof Lists]: z.output<typeof manifestSchema>[Lists[Plural]] } & Pick<
  z.output<typeof manifestSchema>,
  "deadline" | "secret" | "refers" | "listens"
>;

/** Parses a manifest. */
export const readManifest = (table: unknown): Read => {
  const sent = manifestSchema.omit({ release: true, owner: true, protocol: true }).parse(table);
  const lists = Object.entries(LISTS).map(([plural, name]) => [plural, sent[name]]);
  const { deadline, secret, refers, listens } = sent;
  return { deadline, secret, refers, listens, ...(Object.fromEntries(lists) as Pick<Read, keyof Lists>) };
};

/**
 * The document for `gatehouse release`, without its last line. `owner` is the resource that may change and delete the
 * release; `takes` lists the objects that it takes over although gatehouse did not create them.
 */
export function manifestText(
  release: string,
  owner: string,
  secret: boolean,
  manifest: Manifest,
  takes?: readonly string[],
): string {
  const lists = Object.entries(LISTS).map(([plural, name]) => [name, manifest[plural as keyof Lists]]);
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
    leaves: manifest.leaves?.length ? [...manifest.leaves] : undefined,
    ...Object.fromEntries(lists),
  };
  return toml(table);
}

/** The document for `gatehouse release`; the parameters are those of `manifestText`. */
export const manifestDocument = (...args: Parameters<typeof manifestText>): string => sealed(manifestText(...args));
