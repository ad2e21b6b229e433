// Labels of containers, of which those of a reverse proxy may name the site.
import type { DraftContainer } from "./draft.ts";
import type { Place } from "./findings.ts";

/** A label; one of Traefik's may name the site. */
export function label(container: DraftContainer, name: string, value: string, place: Place): void {
  if (!name.startsWith("traefik.") && !name.startsWith("caddy")) {
    container.key("Label", value === "" ? name : `${name}=${value}`, place);
    return;
  }
  const [, domain] = /^traefik\.http\.routers\.[\w-]+\.rule$/.test(name)
    ? (/^Host\(`([^`]+)`\)$/.exec(value) ?? [])
    : [];
  const port = /\.loadbalancer\.server\.port$/.test(name) ? Number(value) : undefined;
  if (domain) container.serve(domain, place);
  else if (port) container.servedPort(port, place);
  else container.changed(place, `label ${name}`, "Caddy serves the app: see `site`");
}
