// The names on a host that items need for themselves, and that whoever set the host up may have given already.
import { createHash } from "node:crypto";
import { z } from "zod";
import type { Manifest } from "./manifest.ts";

/** What one item needs, each as its kind and name. The agent's items/census.py reads it. */
export interface Claim {
  /** `KIND-NAME`, as in the facts. */
  item: string;
  /** Such as `file /etc/caddy/Caddyfile`. Of packages: the units that the first of them brings. */
  things: readonly string[];
  /** Of a release: `PROJECT/STACK/RESOURCE`. */
  owner?: string;
  /** Of an account: the groups that it is to be in. */
  groups?: readonly string[];
  packages?: readonly string[];
}

/** What has such a name, and is not gatehouse's. */
export interface Stranger {
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

/** What may be taken over, as the refusal that is answered by it names it. */
export const thing = z.string().regex(THING, {
  error: ({ input }) =>
    `expected a kind (${Object.keys(KINDS).join(", ")}) and a name, such as "account authentik", "file /etc/caddy/Caddyfile", "port *:443/tcp" or "stack PROJECT/STACK", got ${JSON.stringify(input)}`,
});

/** What a release needs, sorted. Of what differs between one run and the next, as a GID does, nothing is in it. */
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

/** A volume that begins otherwise is a path, or a Quadlet of its own. */
const NAMES = {
  pod: /^PodName=(\S+)$/gm,
  container: /^ContainerName=(\S+)$/gm,
  volume: /^Volume=([A-Za-z0-9][\w.-]*(?<!\.volume)):/gm,
};
const podmans = (quadlet: string): string[] =>
  Object.entries(NAMES).flatMap(([kind, pattern]) =>
    [...quadlet.matchAll(pattern)].map(([, name]) => `${kind} ${name}`),
  );

/** As the agent tells it of a release that has all these things. */
export const digestOf = ({ owner = "", things }: Claim): string =>
  createHash("sha256")
    .update([`stack ${owner.slice(0, owner.lastIndexOf("/"))}`, ...things].join("\n"))
    .digest("hex");

/** What of it concerns an item that needs these things; `undefined` for nothing, which stands in no document. */
export function taken(takeOver: readonly string[], things: readonly string[]): string[] | undefined {
  const found = takeOver.filter((thing) => thing.startsWith("stack ") || things.includes(thing));
  return found.length > 0 ? found : undefined;
}
