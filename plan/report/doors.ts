// Access to sockets: accounts and containers, their groups, and the sockets that each group may use.
import { QUADLETS } from "../../components/quadlet/quadlet.ts";
import type { UnitImpact } from "../predict/impact.ts";
import { values } from "../predict/unitfile.ts";
import { type Read, readTable } from "../read/documents.ts";
import { filled } from "../read/known.ts";
import type { ReleaseStep } from "../read/releases.ts";
import type { Preview } from "../read/steps.ts";

/** A box of the drawing. Columns run from accounts and containers on the left to services on the right. */
export interface Box {
  name: string;
  column: "who" | "group" | "socket" | "service";
  /** The planned change, such as `restart`. @default - none */
  change?: string;
}

export interface Line {
  from: string;
  to: string;
  /** @default - unchanged */
  change?: "added" | "removed";
}

export interface Drawing {
  boxes: Box[];
  lines: Line[];
}

/** The doors before and after the plan, with changes marked. */
export function doorsOf(preview: Preview, releases: readonly ReleaseStep[], units: readonly UnitImpact[]): Drawing {
  const before = doors(preview, releases, "old");
  const after = doors(preview, releases, "new");
  const key = ({ from, to }: Line) => `${from} ${to}`;
  const had = new Set(before.lines.map(key));
  const has = new Set(after.lines.map(key));
  const boxes = new Map([...before.boxes, ...after.boxes].map((box) => [`${box.column} ${box.name}`, box]));
  const kept = new Set(after.boxes.map(({ name }) => name));
  return {
    boxes: [...boxes.values()].map((box) => ({ ...box, ...changeOf(box, kept, preview, units) })),
    lines: [
      ...after.lines.map((line) => (had.has(key(line)) ? line : { ...line, change: "added" as const })),
      ...before.lines.filter((line) => !has.has(key(line))).map((line) => ({ ...line, change: "removed" as const })),
    ],
  };
}

function changeOf({ name }: Box, kept: ReadonlySet<string>, preview: Preview, units: readonly UnitImpact[]) {
  const impact = units.find(({ unit }) => unit === name);
  if (impact && impact.verb !== "none") return { change: impact.verb };
  if (!kept.has(name)) return { change: "gone" };
  const made = preview.steps.find((step) => step.name === `group-${name}` || step.name === `account-${name}`);
  return made?.op === "create" ? { change: "new" } : {};
}

type Age = "old" | "new";

function doors(preview: Preview, releases: readonly ReleaseStep[], age: Age): Drawing {
  const groups = groupsOf(preview, age);
  const parts = [
    ...accounts(preview, age),
    ...releases.flatMap((release) => containers(release[age], groups)),
    ...releases.flatMap((release) => sockets(release[age], groups)),
  ];
  return { boxes: parts.flatMap(({ boxes }) => boxes), lines: parts.flatMap(({ lines }) => lines) };
}

interface Group {
  name: string;
  /** The GID as rendered in files: a number or a placeholder. */
  gid: string;
}

function groupsOf(preview: Preview, age: Age): Group[] {
  return tables(preview, "group", age).map(({ name }) => ({
    name: String(name),
    gid: filled(`<gid of ${name}>`, preview),
  }));
}

const tables = (preview: Preview, kind: string, age: Age): Record<string, unknown>[] =>
  preview.steps
    .filter(({ name }) => name.startsWith(`${kind}-`))
    .flatMap((step) => step[age]?.document ?? [])
    .map(readTable);

/** Accounts and their groups. */
const accounts = (preview: Preview, age: Age): Drawing[] =>
  tables(preview, "account", age).map(({ name, groups }) =>
    carrying(String(name), Array.isArray(groups) ? groups.map(String) : []),
  );

/** Containers and their groups. Quadlets contain GIDs, which are mapped back to names. */
function containers(read: Read | undefined, groups: readonly Group[]): Drawing[] {
  const files = (read?.files ?? []).filter(
    ({ path }) => path.startsWith(`${QUADLETS}/`) && path.endsWith(".container"),
  );
  return files.map(({ path, content }) => {
    const gids = values(content, "Container", "PodmanArgs").flatMap(
      (argument) => /^--group-add=(.+)$/.exec(argument)?.[1] ?? [],
    );
    const names = gids.map((gid) => groups.find((group) => group.gid === gid)?.name ?? `group ${gid}`);
    return carrying(path.slice(QUADLETS.length + 1).replace(/\.container$/, ".service"), names);
  });
}

const carrying = (who: string, groups: readonly string[]): Drawing => ({
  boxes: [{ name: who, column: "who" }, ...groups.map((name) => ({ name, column: "group" as const }))],
  lines: groups.map((group) => ({ from: who, to: group })),
});

/** Sockets that belong to one of the groups, by their directory or by the group that their server runs with. */
function sockets(read: Read | undefined, groups: readonly Group[]): Drawing[] {
  const service = read?.units[0]?.name;
  if (!read || service === undefined) return [];
  const isGroup = (name = "") => groups.some((group) => group.name === name);
  const directories = read.files
    .filter(({ path }) => path.startsWith("/etc/tmpfiles.d/"))
    .flatMap(({ content }) => [...content.matchAll(/^d (\S+) \S+ \S+ (\S+)/gm)])
    .map(([, path, group]) => ({ socket: path as string, group }));
  const served = read.files.flatMap(({ content }) => {
    const group = values(content, "Service", "Group").at(-1);
    return read.probes.flatMap(({ socket }) => (typeof socket === "string" ? { socket, group } : []));
  });
  return [...directories, ...served]
    .filter(({ group }) => isGroup(group))
    .map(({ socket, group = "" }) => ({
      boxes: [
        { name: group, column: "group" },
        { name: socket, column: "socket" },
        { name: service, column: "service" },
      ],
      lines: [
        { from: group, to: socket },
        { from: socket, to: service },
      ],
    }));
}
