// How each key of [Container] is carried over.
import { mounted, NOT_HERE, textBeside } from "../beside.ts";
import { label } from "../labels.ts";
import { secondsOf, split, variablesOf } from "../words.ts";
import type { Handler } from "./context.ts";
import { FLAGS } from "./flags.ts";

const PLAIN = [
  "AddCapability",
  "AddDevice",
  "AddHost",
  "Annotation",
  "DNS",
  "DNSOption",
  "DNSSearch",
  "Ulimit",
  "Tmpfs",
];
const SINGLE = ["Entrypoint", "LogDriver", "LogOpt", "PidsLimit", "StopSignal", "Timezone", "WorkingDir"];
const yes = (value: string) => /^(1|yes|true|on)$/i.test(value);

export const HANDLERS: Record<string, Handler> = {
  Image: (container, value, place) => {
    if (/\.(image|build)$/.test(value))
      container.lost(place, "Image", "write the name of the image, which is built or pulled elsewhere");
    else container.image(value, place);
  },
  Exec: (container, value, place) => {
    if (/%[a-zA-Z]/.test(value))
      container.lost(place, "Exec", "a specifier has a value only in its own unit: write the value");
    container.set(
      "command",
      split(value).map((word) => word.replaceAll("%%", "%")),
      place,
    );
  },
  Environment: (container, value, place) => {
    for (const word of split(value)) {
      const at = word.indexOf("=");
      if (at > 0) container.variable(word.slice(0, at), word.slice(at + 1).replaceAll("%%", "%"), place);
    }
  },
  EnvironmentFile: (container, value, place, { file }) => {
    const path = value.replace(/^-/, "");
    const text = textBeside(file, path);
    if (text === undefined) container.lost(place, `EnvironmentFile ${path}`, NOT_HERE);
    else for (const { name, value, line } of variablesOf(text)) container.variable(name, value, { file: path, line });
  },
  EnvironmentHost: (container, _, place) =>
    container.lost(place, "EnvironmentHost", "the variables of the host are not the app's"),
  Secret: (container, value, place) => {
    const [name = "", ...options] = value.split(",");
    const option = Object.fromEntries(options.map((one) => one.split("=") as [string, string]));
    if (option.type === "env") container.secretVariable(option.target ?? name, place);
    else if ((option.target ?? name).replace(/^\/run\/secrets\//, "").includes("/"))
      container.lost(place, `Secret ${name}`, "secrets are in /run/secrets");
    else container.secret((option.target ?? name).replace(/^\/run\/secrets\//, ""), place);
  },
  Volume: (container, value, place, { file }) => {
    const [source = "", target, options = ""] = value.split(":");
    if (target === undefined) container.mount(source.replace(/^\//, ""), source, [], place);
    else mounted(container, file, source.replace(/\.volume$/, ""), target, options.split(",").filter(Boolean), place);
  },
  Mount: (container, value, place, { file }) => {
    const options = Object.fromEntries(value.split(",").map((one) => one.split("=") as [string, string]));
    const target = options.destination ?? options.dst ?? options.target ?? "";
    const source = options.source ?? options.src ?? "";
    const flags = ["ro", "readonly"].some((flag) => flag in options && options[flag] !== "false") ? ["ro"] : [];
    if (options.type === "tmpfs") container.key("Tmpfs", target, place);
    else if (options.type === "bind" || options.type === "volume")
      mounted(container, file, source.replace(/\.volume$/, ""), target, flags, place);
    else container.lost(place, `Mount of type ${options.type}`, "has no equivalent");
  },
  PublishPort: (container, value, place) => {
    const [, address = "", host = "", port = "", protocol = "tcp"] =
      /^(?:(?:(\[[^\]]*\]|[^:]*):)?([\d-]*):)?([\d-]+)(?:\/(\w+))?$/.exec(value) ?? [];
    container.publish(address, host, port, protocol.toLowerCase(), place);
  },
  Network: (container, value, place) => {
    const [name = "", options = ""] = value.split(":");
    for (const [, alias = ""] of options.matchAll(/alias=([^,]+)/g)) container.names.add(alias);
    if (name === "host")
      container.lost(
        place,
        "Network",
        'the network of the host is not available: publish ports, with `address: "*"` for other machines',
      );
    else if (name === "none") container.lost(place, "Network", "an app has a network");
    else if (/\.network$|^(pasta|slirp4netns|bridge|private|)$/.test(name))
      container.moot(place, "Network", "the containers of an app share a network");
    else if (/\.container$/.test(name)) container.moot(place, "Network", "the containers of an app share a network");
    else
      container.changed(
        place,
        `Network ${name}`,
        "the app has a network of its own: containers outside of it are not reached, and Caddy serves it with `site`",
      );
  },
  NetworkAlias: (container, value, place) => {
    container.names.add(value);
    container.moot(place, "NetworkAlias", "containers of an app reach each other by their names");
  },
  IP: (container, _, place) => container.changed(place, "IP", "containers of an app have addresses of Podman's"),
  IP6: (container, _, place) => container.changed(place, "IP6", "containers of an app have addresses of Podman's"),
  HostName: (container, value, place) => {
    container.names.add(value);
    container.key("HostName", value, place);
  },
  HealthCmd: (container, value, place) => {
    if (value === "none") return;
    const words = value.startsWith("[") ? (JSON.parse(value) as string[]) : ["sh", "-c", value];
    container.set("health", words, place);
  },
  Label: (container, value, place) => {
    for (const word of split(value)) {
      const at = word.indexOf("=");
      label(container, at < 0 ? word : word.slice(0, at), at < 0 ? "" : word.slice(at + 1), place);
    }
  },
  AutoUpdate: (container, _, place) =>
    container.changed(place, "AutoUpdate", "an image changes with its version in the configuration"),
  ReadOnly: (container, value, place) => container.key("ReadOnly", yes(value), place),
  ReadOnlyTmpfs: (container, value, place) => container.key("ReadOnlyTmpfs", yes(value), place),
  VolatileTmp: (container, value, place) => yes(value) && container.key("Tmpfs", "/tmp", place),
  RunInit: (container, value, place) =>
    yes(value) ? container.moot(place, "RunInit", "is always there") : container.key("RunInit", false, place),
  ShmSize: (container, value, place) => container.shm(value, place),
  Memory: (container, value, place) => container.limitMemory(value, place),
  StopTimeout: (container, value, place) => container.key("StopTimeout", secondsOf(value) ?? value, place),
  Sysctl: (container, value, place) => {
    for (const word of split(value)) container.key("Sysctl", word, place);
  },
  PodmanArgs: (container, value, place) => {
    const words = split(value);
    for (let index = 0; index < words.length; index++) {
      const [, flag = "", given] = /^--([\w-]+)(?:=(.*))?$/.exec(words[index] as string) ?? [];
      const handler = FLAGS[flag];
      if (handler) handler(container, given ?? words[++index] ?? "", place);
      else container.lost(place, `PodmanArgs ${words[index]}`, "options of Podman are the platform's");
    }
  },
  ...Object.fromEntries(
    PLAIN.map((key): [string, Handler] => [
      key,
      (container, value, place) => {
        for (const word of key === "AddCapability" ? split(value) : [value])
          container.key(key, key === "AddCapability" ? word.toUpperCase() : word, place);
      },
    ]),
  ),
  ...Object.fromEntries(
    SINGLE.map((key): [string, Handler] => [key, (container, value, place) => container.key(key, value, place)]),
  ),
};
