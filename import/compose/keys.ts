// How each key of a service is carried over.
import { NOT_HERE, textBeside } from "../beside.ts";
import type { DraftContainer } from "../draft.ts";
import type { Place } from "../findings.ts";
import { label } from "../labels.ts";
import { secondsOf, variablesOf } from "../words.ts";
import type { Handler } from "./context.ts";
import { deploy } from "./deploy.ts";
import { mountOf } from "./mounts.ts";
import { entriesOf, filled, hasAll, listOf, pairsOf, scalar, scalarOf, textOf, wordsOf } from "./values.ts";

export const HANDLERS: Record<string, Handler> = {
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
      const text = textBeside(context.file, beside);
      if (text !== undefined)
        for (const { name, value, line } of variablesOf(text)) container.variable(name, value, { file: beside, line });
      else if (!optional) container.lost(place, `env_file ${beside}`, NOT_HERE);
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
