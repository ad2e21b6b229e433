// The documents that the program sends, read back.
import { parse } from "smol-toml";
import { z } from "zod";
import type { Manifest } from "../../protocol/manifest.ts";

const texts = z.array(z.string());
const owned = z.object({ path: z.string(), mode: z.string(), owner: z.string() });
const holding = { name: z.string(), unit: z.string(), user: z.string().default("root") };
const step = z.object({
  name: z.string(),
  exec: texts,
  user: z.string().optional(),
  stdin: z.string().optional(),
});
const rows = <Row extends z.ZodType>(row: Row) => z.array(row).default([]);

// A state may hold what another version of the program wrote: what is not known here is passed over.
const manifestSchema = z
  .object({
    secret: z.boolean().default(false),
    deadline: z.int().default(60),
    refers: texts.default([]),
    directory: rows(owned.extend({ formerly: z.string().optional() })),
    image: rows(z.object({ reference: z.string() })),
    file: rows(
      owned.extend({
        content: z.string(),
        secrets: texts.default([]),
        restarts: texts.default([]),
        reloads: texts.default([]),
      }),
    ),
    check: rows(z.object({ name: z.string(), tree: z.string(), exec: texts }).loose()),
    guard: rows(
      z.object({
        name: z.string(),
        units: texts,
        save: texts,
        restore: texts,
        user: z.string().default("root"),
        images: texts.default([]),
      }),
    ),
    holding: rows(
      z.union([
        z.object({ ...holding, exec: texts }),
        z.object({
          ...holding,
          socket: z.string(),
          config: z.string(),
          data: z.string(),
          appendonly: z.boolean().default(false),
        }),
      ]),
    ),
    data: rows(
      z.union([
        z.object({ name: z.string(), path: z.string() }),
        z.object({ name: z.string(), save: texts, drop: texts, user: z.string().default("root") }),
      ]),
    ),
    unit: rows(z.object({ name: z.string(), enabled: z.boolean().optional() })),
    preparation: rows(step),
    step: rows(step),
    probe: rows(z.object({ name: z.string(), through: z.string().optional() }).loose()),
  })
  .transform(({ secret, deadline, refers, ...lists }) => ({
    secret,
    deadline,
    refers,
    directories: lists.directory,
    images: lists.image,
    preparations: lists.preparation,
    files: lists.file,
    checks: lists.check,
    guards: lists.guard,
    holdings: lists.holding,
    data: lists.data,
    units: lists.unit,
    steps: lists.step,
    probes: lists.probe,
  }));

/** A manifest with every default filled in. */
export type Read = z.output<typeof manifestSchema>;
export type ReadFile = Read["files"][number];

/** Reads a manifest. */
export const readManifest = (document: string): Read => manifestSchema.parse(parse(document)) satisfies Manifest;

/** The document without its closing line, whose number of bytes a placeholder makes another one. */
export const unsealed = (document: string): string => document.replace(/# gatehouse: \d+ bytes\n$/, "");

/** Reads a document for a group, an account or a set of packages: names, numbers and lists of names. */
export const readTable = (document: string): Record<string, unknown> => parse(document);
