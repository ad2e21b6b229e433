import type { AppEntry } from "../app/entry.ts";
import { ALL, collide, LOOPBACK, listening, publishedPorts } from "../app/ports.ts";

type Clash = { path: (string | number)[]; message: string };

/** A port of the host, and who has it. */
interface Taken {
  publish: number;
  protocol: "tcp" | "udp";
  address: string;
  holder: string;
  app?: string;
}

interface Others {
  authentik: { domain: string; port: number };
  caddy: { sites: Readonly<Record<string, { domain: string }>> };
  postgres: Readonly<Record<"databases" | "roles", object>>;
}

/** What apps have in common with each other or with the platform, although only one may have it. */
export function* clashesOfApps(
  apps: Readonly<Record<string, AppEntry>>,
  { authentik, caddy, postgres }: Others,
): Generator<Clash> {
  const domains = new Map([[authentik.domain, "authentik.domain"]]);
  for (const [name, { domain }] of Object.entries(caddy.sites)) domains.set(domain, `caddy.sites.${name}.domain`);
  const ports = [
    ...[80, 443].map((publish) => ({ publish, protocol: "tcp", address: ALL, holder: "used by Caddy" }) as const),
    { publish: 443, protocol: "udp", address: ALL, holder: "used by Caddy" } as const,
    { publish: authentik.port, protocol: "tcp", address: LOOPBACK, holder: "authentik.port" } as const,
  ].map((one): Taken => one);
  for (const [name, { containers, postgres: access, site }] of Object.entries(apps)) {
    if (site) yield* taken(domains, site.domain, ["apps", name, "site", "domain"]);
    for (const [container, its] of Object.entries(containers)) {
      for (const port of publishedPorts(its)) {
        const path = ["apps", name, "containers", container, ...port.keys.publish];
        const other = ports.find((other) => other.app !== name && collide(port, other));
        const loopback = port.address === LOOPBACK && port.protocol === "tcp";
        if (other) yield { path, message: `${loopback ? port.publish : listening(port)} is already ${other.holder}` };
        else ports.push({ ...port, app: name, holder: path.join(".") });
      }
    }
    const database = access && (access.database ?? name);
    for (const kind of ["databases", "roles"] as const)
      for (const one of Object.keys(postgres[kind]))
        if (access && one === (kind === "databases" ? database : name))
          yield { path: ["postgres", kind, one], message: `is created by the app ${name}; remove it` };
  }
}

/** A clash if the value has a holder; otherwise this path is its holder. */
function* taken<T>(holders: Map<T, string>, value: T, path: string[]): Generator<Clash> {
  const holder = holders.get(value);
  if (holder === undefined) holders.set(value, path.join("."));
  // An app names its own clashes.
  else if (path[0] !== holder.split(".")[0] || path[1] !== holder.split(".")[1])
    yield { path, message: `${value} is already ${holder}` };
}
