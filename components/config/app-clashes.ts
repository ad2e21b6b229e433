import type { AppEntry } from "../app/entry.ts";
import { published } from "../app/schema.ts";

type Clash = { path: string[]; message: string };

interface Others {
  authentik: { domain: string };
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
  const ports = new Map<number, string>();
  for (const [name, { containers, postgres: access, site }] of Object.entries(apps)) {
    if (site) yield* taken(domains, site.domain, ["apps", name, "site", "domain"]);
    for (const [container, its] of Object.entries(containers)) {
      const port = published(its);
      const key = its.publish === undefined ? "port" : "publish";
      if (port !== undefined) yield* taken(ports, port, ["apps", name, "containers", container, key]);
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
