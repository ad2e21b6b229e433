// Reads a compose file. Every key of a service is handled, or listed with the reason why it is not.
import { readFileSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { DraftApp } from "../draft.ts";
import type { Findings } from "../findings.ts";
import { interpolated, type Lookup, variablesOf } from "../words.ts";
import { type Node, readYaml } from "../yaml.ts";
import type { Context } from "./context.ts";
import { HANDLERS } from "./keys.ts";
import { LOST, MOOT } from "./reasons.ts";
import { entriesOf, textOf } from "./values.ts";

/** @throws Error for a file that is no compose file. */
export function readCompose(file: string, findings: Findings, name?: string): DraftApp {
  const root = readYaml(readFileSync(file, "utf8"));
  const top = entriesOf(root);
  const services = entriesOf(top.get("services"));
  if (services.size === 0) throw new Error(`${file} has no services`);
  const variables = new Map<string, string>();
  const lookup: Lookup = (name) => variables.get(name);
  for (const { name, value } of variablesBeside(file)) variables.set(name, interpolated(value, lookup).text);
  const given = name ?? (top.get("name") && textOf(top.get("name"), lookup)) ?? basename(dirname(resolve(file)));
  const app = new DraftApp(given, findings);
  const context: Context = {
    app,
    file,
    lookup,
    top,
    services: new Set(
      [...services].flatMap(([name, node]) => [name, textOf(entriesOf(node).get("container_name"), lookup)]),
    ),
  };
  for (const [key, node] of top)
    if (
      !["services", "volumes", "networks", "secrets", "configs", "name", "version"].includes(key) &&
      !key.startsWith("x-")
    )
      findings.add("lost", { file, line: node.line }, key, "has no equivalent");
  readNetworks(top.get("networks"), context);
  readVolumes(top.get("volumes"), context);
  for (const [service, node] of services) {
    const container = app.container(service, { file, line: node.line });
    // What a service sets itself replaces what a file of variables sets.
    const keys = [...entriesOf(node)].sort(([a], [b]) => Number(b === "env_file") - Number(a === "env_file"));
    for (const [key, value] of keys) {
      const place = { file, line: value.line };
      const reason = MOOT[key];
      const handler = HANDLERS[key];
      if (reason) container.moot(place, key, reason);
      else if (handler) handler(container, value, place, context);
      else if (!key.startsWith("x-")) container.lost(place, key, LOST[key] ?? "has no equivalent");
    }
    if (!["image", "build", "extends"].some((key) => entriesOf(node).has(key)))
      container.lost(
        { file, line: node.line },
        "image",
        "is missing: a file that adds to another one is read once `docker compose config` has merged both",
      );
  }
  return app;
}

/** The variables of .env in the same folder. */
function variablesBeside(file: string) {
  try {
    return variablesOf(readFileSync(join(dirname(file), ".env"), "utf8"));
  } catch {
    return [];
  }
}

function readNetworks(networks: Node | undefined, { file, app }: Context): void {
  for (const [name, network] of entriesOf(networks)) {
    const place = { file, line: network.line };
    const what = `networks.${name}`;
    const external = entriesOf(network).get("external");
    if (external?.kind === "scalar" ? external.value === true : external)
      app.findings.add(
        "changed",
        place,
        what,
        "the app has a network of its own: containers outside of it are not reached, and Caddy serves it with `site`",
      );
    else app.findings.add("moot", place, what, "the containers of an app share a network, which no other can reach");
  }
}

function readVolumes(volumes: Node | undefined, { file, app, lookup }: Context): void {
  for (const [name, volume] of entriesOf(volumes))
    for (const [key, node] of entriesOf(volume)) {
      const place = { file, line: node.line };
      const what = `volumes.${name}.${key}`;
      if (key === "driver_opts")
        app.findings.add(
          "lost",
          place,
          what,
          "mount the device or share on the host, and use its path as { host: PATH }",
        );
      else if (key === "driver" && textOf(node, lookup) !== "local")
        app.findings.add("lost", place, what, "volumes are folders of the host");
      else if (!["driver", "name", "external", "labels"].includes(key) && !key.startsWith("x-"))
        app.findings.add("lost", place, what, "has no equivalent");
    }
}
