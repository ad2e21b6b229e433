// What a stack of the platform tells all others: the shape of its output `platform`, for who writes it and who reads it.
// docs/platform.md explains each key.
import type * as pulumi from "@pulumi/pulumi";
import { z } from "zod";
import { address, domain, gid, hostKey, port, unixName } from "../schema/scalars.ts";

/** The version of the contract. A key that is added leaves it as it is; one that goes or means something else raises it. */
export const SCHEMA_VERSION = 1;

const expected = (what: string) => ({
  error: ({ input }: { input?: unknown }) => `expected ${what}, got ${JSON.stringify(input) ?? "nothing"}`,
});
const text = (what: string, pattern: RegExp) => z.string(expected(what)).regex(pattern, expected(what));
// Not closed: a platform that is newer within the version has more keys.
const table = <Shape extends z.core.$ZodLooseShape>(shape: Shape) => z.object(shape, expected("keys and values"));
const record = <Value extends z.ZodType>(value: Value) => z.record(z.string(), value, expected("keys and values"));

const path = text("an absolute path without blanks", /^(\/[^/\s]+)+$/);
const unit = text("a unit such as caddy.service", /^[\w@.:-]+\.service$/);
const uid = z
  .int(expected("a UID from 1 to 65533"))
  .min(1, expected("a UID from 1 to 65533"))
  .max(65533, expected("a UID from 1 to 65533"));
const number = z.int(expected("a number from 1 on")).min(1, expected("a number from 1 on"));
const versions = record(z.string(expected("a version")));
const group = table({ name: unixName, gid });
const https = (what: string, ending = "") =>
  z.string(expected(what)).refine((url) => {
    const [, rest] = url.split(/^https:\/\//);
    const [name, ...path] = rest?.slice(0, rest.length - ending.length).split("/") ?? [];
    return rest?.endsWith(ending) && domain.safeParse(name).success && path.every((word) => /^[\w.~-]+$/.test(word));
  }, expected(what));

/** The object itself, as plain values. What is not listed is left out, and no fault. */
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

/** The same while it is made: each value may still be on its way from the host. */
export type Pending<T> = pulumi.Input<T extends object ? { readonly [Key in keyof T]: Pending<T[Key]> } : T>;
