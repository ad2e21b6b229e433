// The contract between a platform stack and all others: the schema of its output `platform`, for producer and
// consumers. docs/platform.md explains each key.
import type * as pulumi from "@pulumi/pulumi";
import { z } from "zod";
import { address, domain, gid, hostKey, port, unixName } from "../schema/scalars.ts";

/**
 * Version of the contract. Adding a key does not change it; removing a key or changing its meaning increments it.
 *
 * @example
 * export const reads = `platforms of version ${SCHEMA_VERSION}`;
 */
export const SCHEMA_VERSION = 1;

/** Version of the contract of a platform on three hosts, which consumers of version 1 refuse. */
export const CLUSTER_SCHEMA_VERSION = 2;

const expected = (what: string) => ({
  error: ({ input }: { input?: unknown }) => `expected ${what}, got ${JSON.stringify(input) ?? "nothing"}`,
});
const text = (what: string, pattern: RegExp) => z.string(expected(what)).regex(pattern, expected(what));
// Not strict: a newer platform with the same version may have more keys.
const table = <Shape extends z.core.$ZodLooseShape>(shape: Shape) => z.object(shape, expected("keys and values"));
const record = <Value extends z.ZodType>(value: Value) => z.record(z.string(), value, expected("keys and values"));

const path = text("an absolute path without blanks", /^(\/[^/\s]+)+$/);
const unit = text("a unit such as caddy.service", /^[\w@.:-]+\.service$/);
const uid = z
  .int(expected("a UID from 1 to 65533"))
  .min(1, expected("a UID from 1 to 65533"))
  .max(65533, expected("a UID from 1 to 65533"));
const number = z.int(expected("a number of at least 1")).min(1, expected("a number of at least 1"));
const versions = record(z.string(expected("a version")));
const group = table({ name: unixName, gid });
const https = (what: string, ending = "") =>
  z.string(expected(what)).refine((url) => {
    const [, rest] = url.split(/^https:\/\//);
    const [name, ...path] = rest?.slice(0, rest.length - ending.length).split("/") ?? [];
    return rest?.endsWith(ending) && domain.safeParse(name).success && path.every((word) => /^[\w.~-]+$/.test(word));
  }, expected(what));

/**
 * The output itself, as plain values. Unknown keys are dropped.
 *
 * @example
 * const parsed = platformSchema.safeParse({ schemaVersion: SCHEMA_VERSION });
 * export const missing = parsed.error?.issues.map(({ path }) => path.join("."));
 */
export const platformSchema = table({
  schemaVersion: z.literal(SCHEMA_VERSION, expected(`${SCHEMA_VERSION}`)),
  host: table({ address, port, hostKey, platform: text("the name of a distribution", /^[a-z][a-z0-9-]*$/) }),
  groups: table({ postgres: group, valkey: group }),
  postgres: table({ socketDirectory: path, socket: path, port, unit, hbaDirectory: path, versions }),
  valkey: table({ socketDirectory: path, socket: path, port, unit, databases: record(number), versions }),
  caddy: table({
    siteDirectory: path,
    unit,
    tls: z.enum(["acme", "internal"], expected("acme or internal")),
    versions,
  }),
  authentik: table({
    url: https("a URL such as https://auth.example.org"),
    issuer: https("a URL such as https://auth.example.org/application/o/", "/application/o/"),
    uid,
    gid,
  }),
});

/** The platform of another stack, as plain values. */
export type PlatformFacts = z.output<typeof platformSchema>;

/** The same for the producer, which may not know all values yet. */
export type Pending<T> = pulumi.Input<T extends object ? { readonly [Key in keyof T]: Pending<T[Key]> } : T>;
