// The rules for every stack, as functions of plain values. Each returns one sentence for each violation.

import { parse } from "smol-toml";
import type { ManifestDocument } from "../protocol/manifest.ts";

/** A resource as the engine passes it to a policy, before anything is changed. */
export interface Resource {
  urn: string;
  type: string;
  props: Record<string, unknown>;
}

const REMOTE = /^command:remote:/;
/** The components that may run commands on a host, and how each command must begin. */
const ENTRANCES: Record<string, RegExp> = {
  "gatehouse:index:Host": /^(sudo -n )?sh -s -- \S+$/, // the agent's installation
  "gatehouse:index:Group": /^gatehouse group /,
  "gatehouse:index:Account": /^gatehouse account /,
  "gatehouse:index:Packages": /^gatehouse packages /,
  "gatehouse:index:Release": /^gatehouse release /,
};

/** Commands on a host only call the agent or install it. */
export function agentOnly({ urn, type, props }: Resource): string[] {
  if (!REMOTE.test(type)) return [];
  const parent = parentType(urn);
  const entrance = ENTRANCES[parent ?? ""];
  if (type !== "command:remote:Command" || !entrance)
    return [
      `${type} below ${parent ?? "the stack"} bypasses the agent; only Host, Group, Account, Packages and Release of ` +
        "components/host may run commands on a host: declare a Release instead",
    ];
  const { create, update, delete: remove } = props;
  const violations = [];
  if (typeof create !== "string" || !entrance.test(create))
    violations.push(`create is ${JSON.stringify(create)}; below ${parent} it must match ${entrance}: use askFor()`);
  if (update !== undefined)
    violations.push("update is set, but the agent's commands are idempotent and only create is run: remove it");
  if (remove !== undefined && !/^gatehouse (remove|leave) /.test(String(remove)))
    violations.push(
      `delete is ${JSON.stringify(remove)}; only \`gatehouse remove\` may delete: pass the removal to askFor()`,
    );
  return violations;
}

/** A URN contains the types of all parents, outermost first. */
const parentType = (urn: string): string | undefined => urn.split("::")[2]?.split("$").at(-2);

/** Every connection pins the host key. */
export function hostKeys({ type, props }: Resource): string[] {
  if (!REMOTE.test(type)) return [];
  const connection = props.connection as Hop | undefined;
  const hops = [
    { path: "connection", hop: connection },
    ...(connection?.proxy ? [{ path: "connection.proxy", hop: connection.proxy }] : []),
  ];
  return hops
    .filter(({ hop }) => !hop?.hostKey)
    .map(
      ({ path }) =>
        `${path}.hostKey is not set, so any server would be trusted; expected a host key such as ssh-ed25519 AAAA...: ` +
        "create connections with remoteConnection() of components/connection",
    );
}
interface Hop {
  hostKey?: string;
  proxy?: Hop;
}

/** The configuration contains no secrets in plain text. `secretKeys` are the keys that are stored encrypted. */
export function plainSecrets(config: Record<string, unknown>, secretKeys: readonly string[]): string[] {
  return Object.entries(config)
    .filter(([key]) => !secretKeys.includes(key))
    .flatMap(([key, value]) => leaves(key, value))
    .filter(([path, text]) => !REFERENCE.test(text) && (SECRET_NAME.test(path) || looksSecret(text)))
    .map(
      ([path]) =>
        `${path} looks like a secret but is stored in plain text; secrets must be encrypted: remove it, set it with ` +
        "`pulumi config set --secret` (settings of authentik below gatehouse:authentikSecrets), and replace the secret " +
        "wherever it is used, because it has been exposed",
    );
}
const SECRET_NAME = /(pass(word|wd|phrase)|secret|token|(private|secret|api|ssh)[-_]?key)s?$/i;
/** References to a secret instead of the secret itself, how one of an app comes about, and values that are public anyway. */
const REFERENCE = /^((file|env):\/\/|sha256:|(ssh-ed25519|ecdsa-sha2-nistp\d+) )|^(generated|configured)?$/;

function looksSecret(text: string): boolean {
  if (/-----BEGIN [A-Z ]*PRIVATE KEY-----/.test(text)) return true;
  const mixed = /^[A-Za-z0-9+/=_-]{24,}$/.test(text) && /[a-z]/.test(text) && /[A-Z]/.test(text) && /\d/.test(text);
  return mixed && entropy(text) >= 4;
}

/** Bits per character. */
function entropy(text: string): number {
  const counts = Object.values(Object.groupBy([...text], (letter) => letter)).map((group) => group?.length ?? 0);
  return counts.reduce((sum, count) => sum - (count / text.length) * Math.log2(count / text.length), 0);
}

function leaves(path: string, value: unknown): [string, string][] {
  if (typeof value === "string") return [[path, value]];
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([key, inner]) => leaves(`${path}.${key}`, inner));
}

/** Images are pinned by digest: a tag can move to another image. */
export function imageDigests(resource: Resource): string[] {
  return (manifestOf(resource)?.image ?? [])
    .filter(({ reference }) => !/@sha256:[0-9a-f]{64}$/.test(reference))
    .map(
      ({ reference }) =>
        `${reference} has no digest; expected NAME:TAG@sha256:...: set authentik.digest to the output of ` +
        `\`skopeo inspect --format '{{.Digest}}' docker://${reference}\``,
    );
}

/** Only Caddy listens on external addresses, and containers at the allowed ports. */
export function loopbackOnly(resource: Resource, allowed: readonly string[] = []): string[] {
  return (manifestOf(resource)?.file ?? []).flatMap(({ path, content }) => {
    const look = LISTENERS.find(({ files }) => files.test(path))?.published;
    return (look?.(content) ?? []).flatMap((what) => {
      const port = publishedPort(what);
      if (port !== undefined && allowed.includes(port)) return [];
      return [`${path}: ${what}; ${LOOPBACK}${port ? `, or allow it with policy.ports: ["${port}"]` : ""}`];
    });
  });
}

/** The port in a line of a Quadlet, as in `policy.ports`; undefined for any other line. */
function publishedPort(line: string): string | undefined {
  const [, address, port, protocol = "tcp"] =
    /^PublishPort\s*=\s*((?:\d{1,3}\.){3}\d{1,3}):(\d{1,5}):\d{1,5}(?:\/(tcp|udp))?\s*$/.exec(line) ?? [];
  return address && `${address === "0.0.0.0" ? "*" : address}:${port}/${protocol}`;
}
const LOOPBACK =
  "services may only listen on 127.0.0.1, ::1 or a Unix socket: bind one of these, and add a site of Caddy for external access";

const LISTENERS = [
  { files: /^\/etc\/containers\/systemd\/.*\.(container|pod|kube)$/, published: publishedByPodman },
  { files: /^\/etc\/postgresql\/.*\.conf$/, published: publishedByPostgres },
  { files: /^\/etc\/valkey\/valkey\.conf$/, published: publishedByValkey },
];

function publishedByPodman(content: string): string[] {
  return content.split("\n").filter((line) => {
    if (/^PublishPort\s*=/.test(line)) return !/^PublishPort\s*=\s*(127\.0\.0\.1|\[::1\]):/.test(line);
    // The two other ways to publish a port.
    return /^Network\s*=\s*host\b|^PodmanArgs\b.*(--publish|[\s=]-[pP]|--net(work)?[= ]host)/.test(line);
  });
}

function publishedByPostgres(content: string): string[] {
  return [...content.matchAll(/^\s*listen_addresses\s*=?\s*(.*?)\s*(#.*)?$/gim)]
    .filter(([, value = ""]) => !isLoopback(value.replace(/^'|'$/g, "").split(",")))
    .map(([line]) => line.trim());
}

function publishedByValkey(content: string): string[] {
  const binds = [...content.matchAll(/^\s*bind\s+(.*)$/gim)];
  if (binds.length === 0) return ["no bind line, so Valkey listens on all addresses"];
  // A leading minus only means that the address may be unavailable.
  return binds
    .filter(([, list = ""]) => !isLoopback(list.split(/\s+/).map((one) => one.replace(/^-|"/g, ""))))
    .map(([line]) => line.trim());
}

const isLoopback = (addresses: readonly string[]) =>
  addresses.every((address) => ["", "localhost", "127.0.0.1", "::1"].includes(address.trim()));

type Manifest = Pick<ManifestDocument, "image" | "file">;

/** The manifest of a release; undefined for any other resource. */
function manifestOf({ urn, type, props }: Resource): Manifest | undefined {
  if (type !== "command:remote:Command" || parentType(urn) !== "gatehouse:index:Release") return undefined;
  return typeof props.stdin === "string" ? (parse(props.stdin) as Manifest) : undefined;
}
