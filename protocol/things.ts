// Names that items need on a host, and that something not managed by gatehouse may already use.
import { createHash } from "node:crypto";
import { z } from "zod";
import type { Manifest } from "./manifest.ts";

/** The names that one item needs, each with its kind. The agent's items/census.py reads it. */
export interface Claim {
  /** `KIND-NAME`, as in the facts. */
  item: string;
  /** Such as `file /etc/caddy/Caddyfile`. For packages: the units of the first package. */
  things: readonly string[];
  /** For a release: `PROJECT/STACK/RESOURCE`. */
  owner?: string;
  /** For an account: its supplementary groups. */
  groups?: readonly string[];
  packages?: readonly string[];
}

/** A claim, and for a release what the host records as the wanted version of it. */
export interface Declaration extends Claim {
  /** Checksum of the release's sketch, which is known before the first command runs. @default none */
  sketch?: string;
}

/** What the program asks a host before it changes anything there. The agent's items/census.py reads it. */
export interface Question {
  claims: readonly Claim[];
  /** Objects that may be taken over. */
  takes: readonly string[];
  /**
   * Releases to record as wanted by the stack, each with the checksum of its sketch, if nothing is in the way. Absent in
   * a preview.
   */
  wants?: { stack: string; releases: Readonly<Record<string, string>> };
}

/** An object that has one of these names and is not managed by gatehouse. */
export interface UnmanagedObject {
  thing: string;
  what: string;
}

const KINDS = {
  account: "[a-z_][a-z0-9_-]*",
  group: "[a-z_][a-z0-9_-]*",
  file: "/\\S+",
  unit: "\\S+\\.[a-z]+",
  pod: "\\S+",
  container: "\\S+",
  volume: "\\S+",
  port: "\\S+:\\d+/(tcp|udp)",
  stack: "[^\\s/]+/[^\\s/]+",
};
const THING = new RegExp(
  `^(${Object.entries(KINDS)
    .map(([kind, name]) => `${kind} ${name}`)
    .join("|")})$`,
);

/** An object that may be taken over, in the form that the refusal prints. */
export const thing = z.string().regex(THING, {
  error: ({ input }) =>
    `expected a kind (${Object.keys(KINDS).join(", ")}) and a name, such as "account authentik", "file /etc/caddy/Caddyfile", "port *:443/tcp" or "stack PROJECT/STACK", got ${JSON.stringify(input)}`,
});

/** The names that a release needs, sorted. Values that differ between runs, such as a GID, are not included. */
export function thingsOf({ files = [], units = [], listens = [] }: Manifest): string[] {
  const things = [
    ...units.map(({ name }) => `unit ${name}`),
    ...listens.map((port) => `port ${port}`),
    ...files.filter(({ path }) => !path.startsWith("/var/lib/gatehouse/")).map(({ path }) => `file ${path}`),
    ...files
      .filter(({ path }) => path.startsWith("/etc/containers/systemd/"))
      .flatMap(({ content }) => podmans(content)),
  ];
  return [...new Set(things)].sort();
}

/** A volume that does not match is a path or a Quadlet unit. */
const NAMES = {
  pod: /^PodName=(\S+)$/gm,
  container: /^ContainerName=(\S+)$/gm,
  volume: /^Volume=([A-Za-z0-9][\w.-]*(?<!\.volume)):/gm,
};
const podmans = (quadlet: string): string[] =>
  Object.entries(NAMES).flatMap(([kind, pattern]) =>
    [...quadlet.matchAll(pattern)].map(([, name]) => `${kind} ${name}`),
  );

/** Digest of the names that a release needs, as the agent computes it. */
export const digestOf = ({ owner = "", things }: Claim): string =>
  createHash("sha256")
    .update([`stack ${owner.slice(0, owner.lastIndexOf("/"))}`, ...things].join("\n"))
    .digest("hex");

/** The entries of `takeOver` that apply to an item with these names; undefined if there are none, to omit the key. */
export function taken(takeOver: readonly string[], things: readonly string[]): string[] | undefined {
  const found = takeOver.filter((thing) => thing.startsWith("stack ") || things.includes(thing));
  return found.length > 0 ? found : undefined;
}
