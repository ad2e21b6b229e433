// Sentences about changes in a manifest other than its files.
import { OPENING } from "../../components/quadlet/opening.ts";
import { QUADLETS } from "../../components/quadlet/quadlet.ts";
import { values } from "../predict/unitfile.ts";
import type { Read } from "../read/documents.ts";

/** One sentence for each notable change. */
export function notesOn(old: Read | undefined, next: Read | undefined): string[] {
  if (!next) return [];
  return [
    ...images(old, next),
    ...directories(old, next),
    ...borrowed(old, next),
    ...exposed(old, next),
    ...opened(old, next),
    ...named("preparation", old?.preparations, next.preparations, old),
    ...named("check", old?.checks, next.checks, old),
    ...named("guard", old?.guards, next.guards, old),
    ...named("step", old?.steps, next.steps, old),
    ...named("probe", old?.probes, next.probes, old),
    ...(old && old.deadline !== next.deadline ? [`deadline: ${old.deadline} s becomes ${next.deadline} s`] : []),
    ...(old && unit(old) !== unit(next) ? [`units: ${unit(old)} become ${unit(next)}`] : []),
    ...refers(old, next),
  ];
}

const unit = ({ units }: Read) => units.map(({ name }) => name).join(", ") || "none";

function images(old: Read | undefined, next: Read): string[] {
  const [was, is] = [old?.images ?? [], next.images].map((images) => images.map(({ reference }) => reference)) as [
    string[],
    string[],
  ];
  if (was.join("\n") === is.join("\n")) return [];
  if (was.length === 0) return is.map((image) => `image ${image} is pulled if missing`);
  return [`image: ${was.join(", ")} becomes ${is.join(", ") || "none"}`];
}

function directories(old: Read | undefined, next: Read): string[] {
  const access = ({ mode, owner }: { mode: string; owner: string }) => `${mode} ${owner}`;
  return [
    ...next.directories.flatMap((directory) => {
      const was = old?.directories.find(({ path }) => path === directory.path);
      if (!was) return [`directory ${directory.path} (${access(directory)}) is created if missing`];
      return access(was) === access(directory)
        ? []
        : [`directory ${directory.path}: ${access(was)} becomes ${access(directory)}`];
    }),
    ...(old?.directories ?? [])
      .filter(({ path }) => !next.directories.some((directory) => directory.path === path))
      .map(({ path }) => `directory ${path} is no longer managed; it stays with its contents`),
  ];
}

/** The operator's folders and files, and whether they are in the backup. */
function borrowed(old: Read | undefined, next: Read): string[] {
  const described = (read: Read, path: string) => {
    const one = read.borrowed.find((one) => one.path === path);
    const saved = read.data.some((data) => "path" in data && data.path === path);
    return one && `${one.readonly ? "read" : "read and written"}, ${saved ? "in the backup" : "not in the backup"}`;
  };
  return [
    ...next.borrowed.flatMap(({ path }) => {
      const [was, is] = [old && described(old, path), described(next, path)];
      if (was === is) return [];
      return [was ? `${path} of the host: ${was} becomes ${is}` : `${path} of the host is used: ${is}`];
    }),
    ...(old?.borrowed ?? [])
      .filter(({ path }) => !next.borrowed.some((one) => one.path === path))
      .map(({ path }) => `${path} of the host is no longer used; it stays as it is`),
  ];
}

/** Ports that other machines reach. */
function exposed(old: Read | undefined, next: Read): string[] {
  const ports = (read?: Read) => read?.listens.filter((port) => !/^(127\.|\[::1\])/.test(port)) ?? [];
  const [was, is] = [ports(old), ports(next)];
  return [
    ...is.filter((port) => !was.includes(port)).map((port) => `exposed: other machines reach ${port}`),
    ...was.filter((port) => !is.includes(port)).map((port) => `no longer exposed: ${port}`),
  ];
}

/** What containers newly have of the host. */
function opened(old: Read | undefined, next: Read): string[] {
  const openings = (read?: Read) =>
    (read?.files ?? [])
      .filter(({ path }) => path.startsWith(`${QUADLETS}/`))
      .flatMap(({ path, content }) =>
        Object.entries(OPENING).flatMap(([key, { words }]) =>
          values(content, "Container", key).map((value) => `${path.slice(QUADLETS.length + 1)} ${words(value)}`),
        ),
      );
  const [was, is] = [openings(old), openings(next)];
  return [
    ...is.filter((one) => !was.includes(one)).map((one) => `opened: ${one}`),
    ...was.filter((one) => !is.includes(one)).map((one) => `no longer opened: ${one}`),
  ];
}

type Named = { name: string };

/** Lists nothing for a new release, in which everything is new. */
function named(kind: string, was: readonly Named[] = [], is: readonly Named[], old: Read | undefined): string[] {
  if (!old) return [];
  return [
    ...is.flatMap((one) => {
      const before = was.find(({ name }) => name === one.name);
      if (!before) return [`${kind} "${one.name}" is new`];
      return JSON.stringify(before) === JSON.stringify(one) ? [] : [`${kind} "${one.name}" changed`];
    }),
    ...was.filter(({ name }) => !is.some((one) => one.name === name)).map(({ name }) => `${kind} "${name}" is removed`),
  ];
}

function refers(old: Read | undefined, next: Read): string[] {
  if (!old) return [];
  const gone = old.refers.filter((folder) => !next.refers.includes(folder));
  return gone.map(
    (folder) => `secrets in ${folder} are no longer used by this release; they are deleted once no release uses them`,
  );
}
