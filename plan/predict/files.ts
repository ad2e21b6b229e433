// The files of a release, before and after.
import { createTwoFilesPatch, OMIT_HEADERS } from "diff";
import type { Read, ReadFile } from "../read/documents.ts";

/** A file that a release adds, changes or removes. */
export interface FileChange {
  path: string;
  what: "added" | "changed" | "removed";
  /** Mode and owner, such as `0640 postgres:postgres`; for a removed file, the old ones. */
  access: string;
  /** The old mode and owner, if they change. */
  accessBefore?: string;
  /** The hunks of a unified diff, without headers; empty if only mode or owner change. */
  diff: string;
  added: number;
  removed: number;
}

export function fileChanges(old: Read | undefined, next: Read | undefined): FileChange[] {
  const before = new Map(old?.files.map((file) => [file.path, file]));
  const after = new Map(next?.files.map((file) => [file.path, file]));
  return [...new Set([...after.keys(), ...before.keys()])].flatMap((path) => {
    const change = fileChange(path, before.get(path), after.get(path));
    return change ? [change] : [];
  });
}

function fileChange(path: string, old: ReadFile | undefined, next: ReadFile | undefined): FileChange | undefined {
  const file = next ?? old;
  if (!file) return undefined;
  const moved = old && next && access(old) !== access(next);
  if (old && next && old.content === next.content && !moved) return undefined;
  const diff = hunks(old?.content ?? "", next?.content ?? "");
  return {
    path,
    what: !old ? "added" : !next ? "removed" : "changed",
    access: access(file),
    ...(moved && { accessBefore: access(old) }),
    diff,
    added: diff.match(/^\+/gm)?.length ?? 0,
    removed: diff.match(/^-/gm)?.length ?? 0,
  };
}

const access = ({ mode, owner }: ReadFile) => `${mode} ${owner}`;

/** Three lines of context, as in `diff -u`. */
const hunks = (old: string, next: string): string =>
  old === next ? "" : createTwoFilesPatch("old", "new", old, next, "", "", { context: 3, headerOptions: OMIT_HEADERS });
