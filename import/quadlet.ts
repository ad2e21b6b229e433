// Reads Quadlet files. Containers that share a pod or a network become one app.
import { readFileSync } from "node:fs";
import { basename, extname } from "node:path";
import { mounted, NOT_HERE, textBeside } from "./beside.ts";
import { label } from "./compose.ts";
import { DraftApp, type DraftContainer } from "./draft.ts";
import type { Findings, Place } from "./findings.ts";
import { type Key, keysOf } from "./unit.ts";
import { secondsOf, split, variablesOf } from "./words.ts";

interface Unit {
  file: string;
  /** Without its suffix. */
  name: string;
  kind: string;
  keys: Key[];
}
type Handler = (container: DraftContainer, value: string, place: Place, unit: Unit) => void;

export const isQuadlet = (file: string): boolean => /\.(container|pod|volume|network|kube|build|image)$/.test(file);

export function readQuadlets(files: readonly string[], findings: Findings, name?: string): DraftApp[] {
  const units = files.map((file): Unit => {
    const kind = extname(file).slice(1);
    return { file, kind, name: basename(file, `.${kind}`), keys: keysOf(readFileSync(file, "utf8")) };
  });
  const containers = units.filter(({ kind }) => kind === "container");
  const groups = grouped(containers);
  const apps = groups.map((members) => {
    const pod = members.flatMap(({ keys }) => keys.filter(({ name }) => name === "Pod"))[0]?.value;
    const shared = members.length > 1 ? networksOf(members[0] as Unit)[0] : undefined;
    const called = pod ?? shared ?? (members[0] as Unit).name;
    const app = new DraftApp((groups.length === 1 && name) || called.replace(/\.(pod|network)$/, ""), findings);
    for (const unit of members) readContainer(app, unit);
    for (const unit of units.filter(({ kind, name }) => kind === "pod" && `${name}.pod` === pod)) readPod(app, unit);
    return app;
  });
  for (const unit of units) readOther(unit, findings);
  return apps;
}

const networksOf = ({ keys }: Unit): string[] =>
  keys
    .filter(({ name, value }) => (name === "Network" && /\.network(:|$)/.test(value)) || name === "Pod")
    .map(({ value }) => value.replace(/:.*$/, ""));

/** Containers that reach each other, in the order of the files. */
function grouped(containers: readonly Unit[]): Unit[][] {
  const groups: { members: Unit[]; networks: Set<string> }[] = [];
  for (const unit of containers) {
    const networks = networksOf(unit);
    const joined = groups.filter((group) => networks.some((network) => group.networks.has(network)));
    for (const group of joined) groups.splice(groups.indexOf(group), 1);
    groups.push({
      members: [...joined.flatMap(({ members }) => members), unit],
      networks: new Set([...joined.flatMap(({ networks }) => [...networks]), ...networks]),
    });
  }
  return groups.map(({ members }) => members);
}

function readContainer(app: DraftApp, unit: Unit): void {
  const { file, keys, name } = unit;
  const container = app.container(name, { file, line: 1 });
  container.names.add(`systemd-${name}`);
  for (const { section, name: key, value, line } of keys) {
    const place = { file, line };
    const inContainer = section === "Container";
    const handler = inContainer ? HANDLERS[key] : undefined;
    const limit = section === "Service" ? LIMITS[key] : undefined;
    const reason = (inContainer ? MOOT : AROUND[section])?.[key];
    const specifier = key === "Exec" || key === "HealthCmd" ? undefined : /%[a-zA-Z]/.exec(value)?.[0];
    if (handler && specifier && !/%[hESCDt]\//.test(value))
      container.lost(place, key, `the specifier ${specifier} has a value only in its own unit: write the value`);
    else if (handler) handler(container, value, place, unit);
    else if (limit) limit(container, value, place, unit);
    else if (reason) container.moot(place, key, reason);
    else
      container.lost(
        place,
        `${section}.${key}`,
        (inContainer && LOST[key]) || AROUND_LOST[section] || "has no equivalent",
      );
  }
  if (container.entry.image === undefined) container.lost({ file, line: 1 }, "Image", "is missing");
}

/** A pod's own ports, volumes and hosts are those of its first container. */
function readPod(app: DraftApp, unit: Unit): void {
  const [first] = app.containers.values();
  if (!first) return;
  for (const { section, name, value, line } of unit.keys) {
    const place = { file: unit.file, line };
    if (section !== "Pod") {
      const reason = AROUND[section]?.[name];
      if (reason) first.moot(place, name, reason);
      else first.lost(place, `${section}.${name}`, AROUND_LOST[section] ?? "has no equivalent");
    } else if (
      ["PublishPort", "AddHost", "DNS", "DNSSearch", "DNSOption", "HostName", "Network", "ShmSize", "Volume"].includes(
        name,
      )
    )
      HANDLERS[name]?.(first, value, place, unit);
    else if (
      ["PodName", "ServiceName", "UserNS", "UIDMap", "GIDMap", "ExitPolicy", "StopTimeout", "NetworkAlias"].includes(
        name,
      )
    )
      first.moot(place, name, "the pod of an app is the platform's");
    else first.lost(place, name, "has no equivalent");
  }
}

/** What volumes, networks and other files say. */
function readOther({ file, kind, keys }: Unit, findings: Findings): void {
  if (kind === "container" || kind === "pod") return;
  for (const { section, name, value, line } of keys) {
    const place = { file, line };
    if (kind === "network")
      findings.add("moot", place, `${name}=${value}`, "the containers of an app share a network of its own");
    else if (kind === "volume" && section === "Volume" && /^(Device|Type|Options|Driver|Image)$/.test(name))
      findings.add(
        "lost",
        place,
        `${name}=${value}`,
        "mount the device or share on the host, and use its path as { host: PATH }",
      );
    else if (kind === "volume") findings.add("moot", place, `${name}=${value}`, "volumes are folders of the app");
    else findings.add("lost", place, `${name}=${value}`, `files of the kind .${kind} have no equivalent`);
  }
}

const MOOT: Record<string, string> = {
  ContainerName: "containers are named after the app",
  Pod: "several containers of an app are a pod",
  User: "containers run as the account of the app",
  Group: "containers run as the account of the app",
  UserNS: "containers run as the account of the app",
  UIDMap: "containers run as the account of the app",
  GIDMap: "containers run as the account of the app",
  SubUIDMap: "containers run as the account of the app",
  SubGIDMap: "containers run as the account of the app",
  NoNewPrivileges: "no container gains privileges",
  DropCapability: "containers have no capability that was not added",
  SecurityLabelDisable: "these hosts have no SELinux",
  SecurityLabelType: "these hosts have no SELinux",
  SecurityLabelNested: "these hosts have no SELinux",
  SecurityLabelLevel: "these hosts have no SELinux",
  SecurityLabelFileType: "these hosts have no SELinux",
  ExposeHostPort: "containers of an app reach each other at every port",
  Pull: "an image is pulled if it is missing",
  Retry: "an image is pulled before anything changes, and again by the next `up`",
  RetryDelay: "an image is pulled before anything changes, and again by the next `up`",
  Notify: "a container is ready once it is healthy",
  ServiceName: "units are named after the app",
  StartWithPod: "all containers of an app start",
  ...Object.fromEntries(
    ["Interval", "Timeout", "Retries", "StartPeriod", "OnFailure", "LogDestination", "MaxLogCount", "MaxLogSize"].map(
      (key) => [`Health${key}`, "the platform asks as often as its deadline requires"],
    ),
  ),
  ...Object.fromEntries(
    ["Cmd", "Interval", "Retries", "Success", "Timeout"].map((key) => [
      `HealthStartup${key}`,
      "the check at the start is that of `health`",
    ]),
  ),
};

const LOST: Record<string, string> = {
  GroupAdd: "the account of the app has the groups of its sockets only",
  SeccompProfile: "the filters of Podman stay",
  AppArmor: "the profile of Podman stays",
  Unmask: "the masks of Podman stay",
  Mask: "the masks of Podman stay",
  Rootfs: "a container has an image",
  GlobalArgs: "options of Podman itself are the platform's",
  ContainersConfModule: "options of Podman itself are the platform's",
  CgroupsMode: "containers run in the group of their unit",
};

/** Keys of the sections around [Container]. */
const AROUND: Record<string, Record<string, string>> = {
  Unit: {
    ...Object.fromEntries(
      [
        "After",
        "Before",
        "Requires",
        "Wants",
        "BindsTo",
        "PartOf",
        "Requisite",
        "Upholds",
        "Conflicts",
        "PropagatesStopTo",
      ].map((key) => [key, "units of an app start after the network and the stores, and try again"]),
    ),
    Description: "is the name of the app",
    Documentation: "is for readers",
    StartLimitIntervalSec: "a container that ends is started again",
    StartLimitInterval: "a container that ends is started again",
    StartLimitBurst: "a container that ends is started again",
    DefaultDependencies: "units of an app have the usual ones",
    RequiresMountsFor: "a container waits for the folders of the host that it has",
  },
  Service: {
    Restart: "a container that ends is started again",
    RestartSec: "a container that ends is started again",
    RestartSteps: "a container that ends is started again",
    RestartMaxDelaySec: "a container that ends is started again",
    TimeoutStartSec: "the start has the `deadline` of the app",
    TimeoutStopSec: "the end has the StopTimeout of the container",
    TimeoutSec: "the start has the `deadline` of the app",
    Slice: "containers run in system.slice",
    Type: "is decided by the platform",
    SuccessExitStatus: "is decided by the platform",
    Delegate: "is decided by the platform",
    KillMode: "is decided by the platform",
    SyslogIdentifier: "is the name of the unit",
    RemainAfterExit: "is decided by the platform",
  },
  Install: {
    WantedBy: "apps start at boot",
    RequiredBy: "apps start at boot",
    UpheldBy: "apps start at boot",
    Alias: "units are named after the app",
  },
  Quadlet: { DefaultDependencies: "units of an app have the usual ones" },
  Container: {},
};
const AROUND_LOST: Record<string, string> = {
  Service: "commands and settings around the container are the platform's",
};

const WEIGHTS = [
  "MemoryHigh",
  "MemoryLow",
  "ManagedOOMMemoryPressure",
  "CPUAccounting",
  "MemoryAccounting",
  "AllowedCPUs",
  "MemorySwapMax",
  "OOMPolicy",
  "OOMScoreAdjust",
  "CPUWeight",
  "IOWeight",
  "Nice",
  "StartupCPUWeight",
  "StartupIOWeight",
];
/** Limits that are systemd's in a Quadlet as well. */
const LIMITS: Record<string, Handler> = {
  MemoryMax: (container, value, place) => container.limitMemory(value, place),
  CPUQuota: (container, value, place) => container.set("cpus", Number.parseInt(value, 10) / 100, place),
  TasksMax: (container, value, place) => container.key("PidsLimit", value, place),
  ...Object.fromEntries(
    WEIGHTS.map((key): [string, Handler] => [
      key,
      (container, _, place) =>
        container.changed(place, `Service.${key}`, "an app has a limit of memory and of processors, and no weight"),
    ]),
  ),
};

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

const HANDLERS: Record<string, Handler> = {
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

/** Options of `podman run`. */
const FLAGS: Record<string, (container: DraftContainer, value: string, place: Place) => void> = {
  memory: (container, value, place) => container.limitMemory(value, place),
  cpus: (container, value, place) => container.set("cpus", Number(value), place),
  "shm-size": (container, value, place) => container.shm(value, place),
  "add-host": (container, value, place) => container.key("AddHost", value, place),
  "cap-add": (container, value, place) => container.key("AddCapability", value, place),
  device: (container, value, place) => container.key("AddDevice", value, place),
  "network-alias": (container, value, place) => {
    container.names.add(value);
    container.moot(place, "--network-alias", "containers of an app reach each other by their names");
  },
  "pids-limit": (container, value, place) => container.key("PidsLimit", value, place),
  "stop-timeout": (container, value, place) => container.key("StopTimeout", Number(value), place),
  sysctl: (container, value, place) => container.key("Sysctl", value, place),
  label: (container, value, place) => container.key("Label", value, place),
  "log-driver": (container, value, place) => container.key("LogDriver", value, place),
  "log-opt": (container, value, place) => container.key("LogOpt", value, place),
  "cap-drop": (container, _, place) =>
    container.moot(place, "--cap-drop", "containers have no capability that was not added"),
  ulimit: (container, value, place) => container.key("Ulimit", value, place),
  tmpfs: (container, value, place) => container.key("Tmpfs", value, place),
  entrypoint: (container, value, place) => container.key("Entrypoint", value, place),
  hostname: (container, value, place) => container.key("HostName", value, place),
};
