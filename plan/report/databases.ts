// PostgreSQL databases and roles, from the SQL of the step that creates them (templates/sql/roles.sql.njk).
import type { Read } from "../read/documents.ts";

/** A database or role that is created or no longer managed. */
export interface DatabaseChange {
  kind: "database" | "role";
  name: string;
  /** `left`: no longer in the configuration; it is not dropped. */
  what: "created" | "left";
}

export function databaseChanges(old: Read | undefined, next: Read | undefined): DatabaseChange[] {
  const [before, after] = [old, next].map((read) => made(read).map(({ kind, name }) => ({ kind, name }))) as [
    Made[],
    Made[],
  ];
  const missing = (one: readonly Made[], other: readonly Made[]) =>
    one.filter(({ kind, name }) => !other.some((made) => made.kind === kind && made.name === name));
  return [
    ...missing(after, before).map((made) => ({ ...made, what: "created" as const })),
    ...missing(before, after).map((made) => ({ ...made, what: "left" as const })),
  ];
}

/** Sentences about databases that get another owner, together with all objects of the old owner in them. */
export const ownerChanges = (old: Read | undefined, next: Read | undefined): string[] =>
  made(next).flatMap(({ kind, name, owner }) => {
    const before = made(old).find((made) => made.kind === kind && made.name === name);
    if (!before || before.owner === owner) return [];
    return [`database ${name} gets the new owner ${owner}, with everything that ${before.owner} owns in it`];
  });

type Made = Pick<DatabaseChange, "kind" | "name"> & { owner?: string };

const TEXT = /E'((?:[^'\\]|\\.|'')*)'/.source;
const MAKES = new RegExp(`format\\('CREATE (DATABASE|ROLE) %I.*?', ${TEXT}(?:, ${TEXT})?`, "g");
const plain = (text: string): string => text.replace(/''|\\(.)/g, (pair, one?: string) => one ?? pair.slice(1));

const made = (read: Read | undefined): Made[] =>
  (read?.steps ?? []).flatMap(({ stdin = "" }) =>
    [...stdin.matchAll(MAKES)].map(([, kind, name, owner]) => ({
      kind: kind === "ROLE" ? ("role" as const) : ("database" as const),
      name: plain(name as string),
      ...(owner !== undefined && { owner: plain(owner) }),
    })),
  );
