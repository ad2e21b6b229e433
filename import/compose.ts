// Reads a compose file. Every key of a service is handled, or listed with the reason why it is not.
import { readFileSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { mounted, NOT_HERE, textBeside } from "./beside.ts";
import { DraftApp, type DraftContainer } from "./draft.ts";
import type { Findings, Place } from "./findings.ts";
import { interpolated, type Lookup, secondsOf, split, variablesOf } from "./words.ts";
import { type Node, readYaml } from "./yaml.ts";

interface Context {
  app: DraftApp;
  file: string;
  lookup: Lookup;
  /** Top-level tables, such as `secrets`. */
  top: ReadonlyMap<string, Node>;
  /** The services, and the names of their containers. */
  services: ReadonlySet<string>;
}
type Handler = (container: DraftContainer, node: Node, place: Place, context: Context) => void;

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
    for (const [key, value] of entriesOf(node)) {
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

const MOOT: Record<string, string> = {
  depends_on: "containers start together, and one that ends too early is started again",
  expose: "containers of an app reach each other at every port",
  pull_policy: "an image is pulled if it is missing",
  user: "containers run as the account of the app",
  develop: "is for a developer's machine",
  attach: "is for a terminal",
  cap_drop: "containers have no capability that was not added",
};

const LOST: Record<string, string> = {
  privileged: "a privileged container is root on the host: add the capabilities and devices that it needs",
  extends: "run `docker compose config`, and import its output",
  pid: "containers have their own processes",
  ipc: "containers have their own /dev/shm",
  userns_mode: "containers run as the account of the app",
  group_add: "the account of the app has the groups of its sockets only",
  device_cgroup_rules: "name each device instead",
  gpus: "GPUs need a driver's own hook: add the device files in quadlet.AddDevice",
  runtime: "containers run with Podman's runtime",
  mac_address: "networks of apps give addresses by themselves",
  cgroup_parent: "containers run in system.slice",
};

const HANDLERS: Record<string, Handler> = {
  container_name: (container, node, place, { lookup }) => {
    container.names.add(textOf(node, lookup));
    container.moot(place, "container_name", "containers are named after the app, and reached by this name too");
  },
  image: (container, node, place, { lookup }) => {
    const image = scalar(container, node, place, "image", lookup);
    if (hasAll(node, lookup)) container.image(image, place);
  },
  build: (container, _, place) =>
    container.lost(
      place,
      "build",
      "images are not built on the host: build it elsewhere, push it, and name it in image",
    ),
  command: (container, node, place, { lookup }) => {
    const words = wordsOf(container, node, place, "command", lookup);
    if (words.length > 0) container.set("command", words, place);
  },
  entrypoint: (container, node, place, { lookup }) => {
    const words = wordsOf(container, node, place, "entrypoint", lookup);
    if (words.length > 0)
      container.key("Entrypoint", words.length === 1 ? (words[0] as string) : JSON.stringify(words), place);
  },
  environment: (container, node, _place, { file, lookup }) => {
    for (const { name, value, line } of pairsOf(node)) {
      const place = { file, line };
      const given = value === undefined ? lookup(name) : filled(container, value, place, `environment.${name}`, lookup);
      if (given === undefined) container.lost(place, `environment.${name}`, "has no value in .env");
      else container.variable(name, given, place);
    }
  },
  env_file: (container, node, place, context) => {
    for (const one of listOf(node)) {
      const path = one.kind === "map" ? one.entries.get("path") : one;
      const optional = one.kind === "map" && scalarOf(one.entries.get("required")) === false;
      const beside = textOf(path, context.lookup);
      const file = join(dirname(context.file), beside);
      try {
        for (const { name, value, line } of variablesOf(readFileSync(file, "utf8")))
          if (container.entry.environment?.[name] === undefined) container.variable(name, value, { file, line });
      } catch {
        if (!optional) container.lost(place, `env_file ${beside}`, NOT_HERE);
      }
    }
  },
  ports: (container, node, _place, { file, lookup }) => {
    for (const one of listOf(node)) {
      const place = { file, line: one.line };
      if (one.kind === "map") {
        const key = (name: string) => textOf(one.entries.get(name), lookup);
        container.publish(key("host_ip"), key("published"), key("target"), key("protocol") || "tcp", place);
      } else {
        const text = filled(container, String(scalarOf(one)), place, "ports", lookup);
        const [, address = "", host = "", port = "", protocol = "tcp"] =
          /^(?:(?:(\[[^\]]*\]|[^:]*):)?([\d-]*):)?([\d-]+)(?:\/(\w+))?$/.exec(text) ?? [];
        if (hasAll(one, lookup)) container.publish(address, host, port, protocol.toLowerCase(), place);
      }
    }
  },
  volumes: (container, node, _place, context) => {
    for (const one of listOf(node)) mountOf(container, one, { file: context.file, line: one.line }, context);
  },
  configs: (container, node, _place, context) => {
    for (const one of listOf(node)) {
      const place = { file: context.file, line: one.line };
      const name = one.kind === "map" ? textOf(one.entries.get("source"), context.lookup) : String(scalarOf(one));
      const target = one.kind === "map" ? textOf(one.entries.get("target"), context.lookup) : "";
      const config = entriesOf(entriesOf(context.top.get("configs")).get(name));
      const content = config.get("content") ? textOf(config.get("content"), context.lookup) : undefined;
      const source = textOf(config.get("file"), context.lookup);
      const text = content ?? (source ? textBeside(context.file, source) : undefined);
      if (text === undefined) container.lost(place, `configs.${name}`, NOT_HERE);
      else container.file(target || `/${name}`, text, place);
    }
  },
  secrets: (container, node, _place, context) => {
    for (const one of listOf(node)) {
      const place = { file: context.file, line: one.line };
      const source = one.kind === "map" ? textOf(one.entries.get("source"), context.lookup) : String(scalarOf(one));
      const target = (one.kind === "map" && textOf(one.entries.get("target"), context.lookup)) || source;
      const name = target.replace(/^\/run\/secrets\//, "");
      if (name.includes("/")) container.lost(place, `secrets.${source}`, "secrets are in /run/secrets");
      else container.secret(name, place);
    }
  },
  links: (container, node, place, { lookup }) => {
    for (const one of listOf(node)) container.names.add(textOf(one, lookup).replace(/^.*:/, ""));
    container.moot(place, "links", "containers of an app reach each other by their names");
  },
  restart: (container, node, place, { lookup }) => {
    if (["no", "false"].includes(textOf(node, lookup)))
      container.lost(place, "restart", "a container that ends is started again: give it a schedule if it is a job");
    else container.moot(place, "restart", "a container that ends is started again");
  },
  hostname: (container, node, place, { lookup }) => {
    container.names.add(textOf(node, lookup));
    container.key("HostName", textOf(node, lookup), place);
  },
  networks: (container, node, _place, { file, lookup }) => {
    for (const [name, network] of entriesOf(node)) {
      for (const alias of listOf(entriesOf(network).get("aliases"))) container.names.add(textOf(alias, lookup));
      for (const key of entriesOf(network).keys())
        if (key !== "aliases")
          container.changed(
            { file, line: network.line },
            `networks.${name}.${key}`,
            "containers of an app have addresses of Podman's",
          );
    }
    container.moot({ file, line: node.line }, "networks", "the containers of an app share a network");
  },
  network_mode: (container, node, place, { lookup, services }) => {
    const mode = textOf(node, lookup);
    if (mode === "bridge" || services.has(mode.replace(/^(service|container):/, "")))
      container.moot(place, "network_mode", "the containers of an app share a network");
    else if (mode === "host")
      container.lost(
        place,
        "network_mode",
        'the network of the host is not available: publish ports, with `address: "*"` for other machines',
      );
    else container.lost(place, "network_mode", `${mode} is not available`);
  },
  healthcheck: (container, node, place, context) => {
    const health = entriesOf(node);
    const test = health.get("test");
    for (const key of ["interval", "timeout", "retries", "start_period", "start_interval"])
      if (health.has(key))
        container.moot(place, `healthcheck.${key}`, "the platform asks as often as its deadline requires");
    if (scalarOf(health.get("disable")) === true || test === undefined) return;
    const [first, ...words] = listOf(test).map((one) =>
      filled(container, String(scalarOf(one)), place, "healthcheck", context.lookup),
    );
    if (test.kind === "scalar") container.set("health", ["sh", "-c", first as string], place);
    else if (first === "CMD-SHELL") container.set("health", ["sh", "-c", words.join(" ")], place);
    else if (first === "CMD") container.set("health", words, place);
    else if (first !== "NONE") container.lost(place, "healthcheck.test", "begins with neither CMD, CMD-SHELL nor NONE");
  },
  labels: (container, node, _place, { file, lookup }) => {
    for (const { name, value, line } of pairsOf(node)) {
      const place = { file, line };
      const text = value === undefined ? "" : filled(container, value, place, `labels.${name}`, lookup);
      label(container, name, text, place);
    }
  },
  annotations: each((container, name, value, place) => container.key("Annotation", `${name}=${value}`, place)),
  sysctls: each((container, name, value, place) => container.key("Sysctl", `${name}=${value}`, place)),
  extra_hosts: each((container, name, value, place) => container.key("AddHost", `${name}:${value}`, place), /[:=]/),
  cap_add: eachOf((container, value, place) => container.key("AddCapability", value.toUpperCase(), place)),
  devices: eachOf((container, value, place) => container.key("AddDevice", value, place)),
  dns: eachOf((container, value, place) => container.key("DNS", value, place)),
  dns_search: eachOf((container, value, place) => container.key("DNSSearch", value, place)),
  dns_opt: eachOf((container, value, place) => container.key("DNSOption", value, place)),
  tmpfs: eachOf((container, value, place) => container.key("Tmpfs", value, place)),
  read_only: (container, node, place) => scalarOf(node) === true && container.key("ReadOnly", true, place),
  init: (container, node, place) =>
    scalarOf(node) === true ? container.moot(place, "init", "is always there") : container.key("RunInit", false, place),
  working_dir: (container, node, place, { lookup }) => container.key("WorkingDir", textOf(node, lookup), place),
  stop_signal: (container, node, place, { lookup }) => container.key("StopSignal", textOf(node, lookup), place),
  stop_grace_period: (container, node, place, { lookup }) => {
    const seconds = secondsOf(textOf(node, lookup));
    if (seconds === undefined) container.lost(place, "stop_grace_period", "is no duration");
    else container.key("StopTimeout", seconds, place);
  },
  shm_size: (container, node, place, { lookup }) => container.shm(textOf(node, lookup), place),
  mem_limit: (container, node, place, { lookup }) => container.limitMemory(textOf(node, lookup), place),
  memswap_limit: (container, _, place) =>
    container.changed(place, "memswap_limit", "swap is limited for the host only"),
  mem_reservation: (container, _, place) =>
    container.changed(place, "mem_reservation", "memory is only limited, not reserved"),
  cpus: (container, node, place, { lookup }) => container.set("cpus", Number(textOf(node, lookup)), place),
  pids_limit: (container, node, place, { lookup }) => container.key("PidsLimit", textOf(node, lookup), place),
  ulimits: (container, node, _place, { file, lookup }) => {
    for (const [name, limit] of entriesOf(node)) {
      const value =
        limit.kind === "map"
          ? ["soft", "hard"]
              .map((key) => textOf(limit.entries.get(key), lookup))
              .filter(Boolean)
              .join(":")
          : textOf(limit, lookup);
      container.key("Ulimit", `${name}=${value}`, { file, line: limit.line });
    }
  },
  security_opt: eachOf((container, value, place) => {
    if (/^no-new-privileges/.test(value)) container.moot(place, "security_opt", "no container gains privileges");
    else if (/^label[:=]/.test(value)) container.moot(place, "security_opt", "these hosts have no SELinux");
    else container.lost(place, `security_opt ${value}`, "the filters of Podman stay");
  }),
  logging: (container, node, _place, { file, lookup }) => {
    const driver = textOf(entriesOf(node).get("driver"), lookup) || "json-file";
    const place = { file, line: node.line };
    if (["json-file", "local", "journald", "none"].includes(driver))
      container.changed(place, "logging", "output goes to the journal, which has limits of its own");
    else container.lost(place, `logging.driver ${driver}`, "output goes to the journal");
  },
  profiles: (container, _, place) => container.changed(place, "profiles", "every container starts"),
  platform: (container, _, place) =>
    container.changed(place, "platform", "the image is that of the host's architecture"),
  tty: terminal("tty"),
  stdin_open: terminal("stdin_open"),
  scale: (container, node, place) => {
    if (scalarOf(node) !== 1) container.lost(place, "scale", "each container runs once");
  },
  deploy: (container, node, _place, { file, lookup }) => deploy(container, node, file, lookup),
};

function terminal(key: string): Handler {
  return (container, _, place) => container.changed(place, key, "there is no terminal");
}

function each(
  act: (container: DraftContainer, name: string, value: string, place: Place) => void,
  separator = /=/,
): Handler {
  return (container, node, _place, { file, lookup }) => {
    for (const { name, value = "", line } of pairsOf(node, separator))
      act(container, name, filled(container, value, { file, line }, name, lookup), { file, line });
  };
}

function eachOf(act: (container: DraftContainer, value: string, place: Place) => void): Handler {
  return (container, node, _place, { file, lookup }) => {
    for (const one of listOf(node)) {
      const place = { file, line: one.line };
      act(container, filled(container, String(scalarOf(one)), place, "value", lookup), place);
    }
  };
}

function deploy(container: DraftContainer, node: Node, file: string, lookup: Lookup): void {
  for (const [key, value] of entriesOf(node)) {
    const place = { file, line: value.line };
    if (key === "restart_policy") container.moot(place, `deploy.${key}`, "a container that ends is started again");
    else if (key === "replicas" && scalarOf(value) === 1) continue;
    else if (key === "labels") HANDLERS.labels?.(container, value, place, { file, lookup } as Context);
    else if (key !== "resources")
      container.lost(place, `deploy.${key}`, key === "replicas" ? "each container runs once" : "is for a cluster");
    else
      for (const [kind, limits] of entriesOf(value))
        for (const [name, limit] of entriesOf(limits)) {
          const at = { file, line: limit.line };
          if (kind === "reservations" && name === "devices") container.lost(at, "GPUs", LOST.gpus as string);
          else if (kind === "reservations")
            container.changed(at, `reservations.${name}`, "is only limited, not reserved");
          else if (name === "memory") container.limitMemory(textOf(limit, lookup), at);
          else if (name === "cpus") container.set("cpus", Number(textOf(limit, lookup)), at);
          else if (name === "pids") container.key("PidsLimit", textOf(limit, lookup), at);
          else container.lost(at, `${kind}.${name}`, "has no equivalent");
        }
  }
}

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

function mountOf(container: DraftContainer, node: Node, place: Place, context: Context): void {
  if (node.kind === "map") {
    const key = (name: string) => textOf(node.entries.get(name), context.lookup);
    const known = ["type", "source", "target", "read_only", "bind", "volume", "tmpfs", "consistency"];
    for (const name of node.entries.keys())
      if (!known.includes(name)) container.lost(place, `volumes.${name}`, "has no equivalent");
    if (key("type") === "tmpfs") {
      const size = textOf(entriesOf(node.entries.get("tmpfs")).get("size"), context.lookup);
      container.key("Tmpfs", `${key("target")}${size ? `:size=${size}` : ""}`, place);
    } else if (key("type") === "bind" || key("type") === "volume" || key("type") === "")
      mounted(container, context.file, key("source"), key("target"), key("read_only") === "true" ? ["ro"] : [], place);
    else container.lost(place, `volume of type ${key("type")}`, "has no equivalent");
    return;
  }
  const text = filled(container, String(scalarOf(node)), place, "volumes", context.lookup);
  if (!hasAll(node, context.lookup)) return;
  const [source = "", target, options = ""] = text.split(":");
  if (target === undefined) mounted(container, context.file, source.replace(/^\//, ""), source, [], place);
  else mounted(container, context.file, source, target, options.split(",").filter(Boolean), place);
}

// ---------------------------------------------------------------- values

const entriesOf = (node: Node | undefined): ReadonlyMap<string, Node> =>
  node?.kind === "map"
    ? node.entries
    : new Map(node?.kind === "list" ? node.items.map((one) => [String(scalarOf(one)), one]) : []);

const listOf = (node: Node | undefined): Node[] =>
  node === undefined ? [] : node.kind === "list" ? node.items : [node];

const scalarOf = (node: Node | undefined) => (node?.kind === "scalar" ? node.value : undefined);

const textOf = (node: Node | undefined, lookup: Lookup): string => {
  const value = scalarOf(node);
  return value === undefined || value === null ? "" : interpolated(String(value), lookup).text;
};

/** Names and values, of a map or of a list of NAME=VALUE. */
function pairsOf(node: Node, separator = /=/): { name: string; value: string | undefined; line: number }[] {
  if (node.kind === "map")
    return [...node.entries].map(([name, value]) => {
      const given = scalarOf(value);
      return { name, value: given === null || given === undefined ? undefined : String(given), line: value.line };
    });
  return listOf(node).map((one) => {
    const text = String(scalarOf(one) ?? "");
    const at = text.search(separator);
    return at < 0
      ? { name: text, value: undefined, line: one.line }
      : { name: text.slice(0, at), value: text.slice(at + 1), line: one.line };
  });
}

/** With its variables; those without a value are listed. */
function filled(container: DraftContainer, text: string, place: Place, key: string, lookup: Lookup): string {
  const { text: result, missing } = interpolated(text, lookup);
  for (const name of missing) container.lost(place, key, `\${${name}} has no value in .env`);
  return result;
}

/** Whether every variable in a text has a value. */
const hasAll = (node: Node, lookup: Lookup): boolean =>
  interpolated(String(scalarOf(node) ?? ""), lookup).missing.length === 0;

const scalar = (container: DraftContainer, node: Node, place: Place, key: string, lookup: Lookup): string =>
  filled(container, String(scalarOf(node) ?? ""), place, key, lookup);

function wordsOf(container: DraftContainer, node: Node, place: Place, key: string, lookup: Lookup): string[] {
  if (node.kind === "list")
    return node.items.map((one) => filled(container, String(scalarOf(one)), place, key, lookup));
  return scalarOf(node) === null ? [] : split(scalar(container, node, place, key, lookup));
}
