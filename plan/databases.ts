// Databases and roles of PostgreSQL, from the SQL of the step that makes them (templates/sql/roles.sql.njk).
import type { Read } from "./documents.ts";

/** A database or a role that appears, or that the program stops looking after. */
export interface DatabaseChange {
  kind: "database" | "role";
  name: string;
  /** `left`: it is no longer in the configuration. Nothing is dropped. */
  what: "created" | "left";
}

export function databaseChanges(old: Read | undefined, next: Read | undefined): DatabaseChange[] {
  const [before, after] = [made(old), made(next)];
  const missing = (one: readonly Made[], other: readonly Made[]) =>
    one.filter(({ kind, name }) => !other.some((made) => made.kind === kind && made.name === name));
  return [
    ...missing(after, before).map((made) => ({ ...made, what: "created" as const })),
    ...missing(before, after).map((made) => ({ ...made, what: "left" as const })),
  ];
}

type Made = Pick<DatabaseChange, "kind" | "name">;

const MAKES = /format\('CREATE (DATABASE|ROLE) %I.*', E'((?:[^'\\]|\\.|'')*)'/g;

const made = (read: Read | undefined): Made[] =>
  (read?.steps ?? []).flatMap(({ stdin = "" }) =>
    [...stdin.matchAll(MAKES)].map(([, kind, name]) => ({
      kind: kind === "ROLE" ? ("role" as const) : ("database" as const),
      name: (name as string).replace(/''|\\(.)/g, (pair, plain?: string) => plain ?? pair.slice(1)),
    })),
  );
