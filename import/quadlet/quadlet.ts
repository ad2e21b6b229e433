// Reads Quadlet files. Containers that share a pod or a network become one app.
import { readFileSync } from "node:fs";
import { basename, extname } from "node:path";
import { DraftApp } from "../draft.ts";
import type { Findings } from "../findings.ts";
import { keysOf } from "../unit.ts";
import type { Unit } from "./context.ts";
import { HANDLERS } from "./keys.ts";
import { LIMITS } from "./limits.ts";
import { AROUND, AROUND_LOST, LOST, MOOT } from "./reasons.ts";

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
