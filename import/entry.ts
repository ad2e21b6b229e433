// The entry of an app, from its draft: validated by the schema of the configuration.
import { entrySchema } from "../components/app/entry.ts";
import { appName } from "../components/app/schema.ts";
import { faultsIn } from "../components/schema/faults.ts";
import type { DraftApp, DraftContainer, Entry } from "./draft.ts";
import type { Findings, Place } from "./findings.ts";
import { type Natives, takeNatives } from "./native.ts";

export interface AppEntry extends Natives {
  containers: Record<string, Entry>;
  site?: { domain: string; port?: number };
  shmSize?: string;
}

/** @param native whether stores of known images become the platform's. */
export function entryOf(app: DraftApp, native: boolean): AppEntry {
  const natives = native ? takeNatives(app) : {};
  app.nameFolders();
  const all = [...app.containers.values()];
  if (all.length > 1) reachEachOther(all);
  refuseTwoValues(all);
  const entry: AppEntry = {
    containers: Object.fromEntries([...app.containers].map(([name, { entry }]) => [name, entry])),
    ...natives,
  };
  const sizes = all.flatMap(({ shmSize }) => shmSize ?? []);
  if (sizes.length > 0) entry.shmSize = largest(sizes);
  if (app.site) {
    const { domain, container, place } = app.site;
    const port = container.entry.publish ?? container.entry.port;
    if (port === undefined)
      container.lost(place, domain, "the port that Caddy forwards to is not known: add port, and site");
    else entry.site = { domain, port };
  }
  validate(app, entry);
  return entry;
}

/** The containers of a pod reach each other on 127.0.0.1, and keep the names that they had. */
function reachEachOther(all: readonly DraftContainer[]): void {
  const [first] = all as [DraftContainer];
  const place = first.places.get("") as Place;
  const names = new Set(all.flatMap(({ names }) => [...names]).filter((name) => /^[\w.-]+$/.test(name)));
  const hosts = new Set(all.flatMap(({ entry }) => entry.quadlet?.HostName ?? []));
  if (hosts.size > 1)
    for (const { entry } of all) {
      delete entry.quadlet?.HostName;
      if (entry.quadlet && Object.keys(entry.quadlet).length === 0) delete entry.quadlet;
    }
  for (const name of names) first.key("AddHost", `${name}:127.0.0.1`, place);
}

/** Secrets of one name are one secret in all containers of an app. */
function refuseTwoValues(all: readonly DraftContainer[]): void {
  const values = new Map<string, string>();
  for (const container of all)
    for (const [name, value] of container.secretValues) {
      const place = container.places.get(`secretEnvironment.${name}`) as Place;
      if (value !== "" && values.has(name) && values.get(name) !== value)
        container.lost(
          place,
          name,
          "has another value in another container, and secrets of one name are one secret in an app: rename one",
        );
      if (value !== "" && !values.has(name)) values.set(name, value);
    }
}

const largest = (sizes: readonly string[]): string => {
  const bytes = (size: string) => Number.parseInt(size, 10) * 1024 ** ["", "k", "m", "g"].indexOf(size.at(-1) ?? "");
  return sizes.toSorted((a, b) => bytes(b) - bytes(a))[0] as string;
};

/** What the configuration would refuse, at the line that it comes from. */
function validate(app: DraftApp, entry: AppEntry): void {
  const findings: Findings = app.findings;
  const [first] = app.containers.values();
  const fallback: Place = first?.places.get("") ?? { file: app.name, line: 1 };
  for (const { message } of faultsIn(appName, app.name))
    findings.add("lost", fallback, app.name, `${message}: see --name`);
  for (const { path, message } of faultsIn(entrySchema, entry)) {
    const [table, name, ...keys] = path.map(String);
    const container = table === "containers" && name !== undefined ? app.containers.get(name) : undefined;
    // Its reader has given the reason.
    if (container && keys[0] === "image" && container.entry.image === undefined) continue;
    const place = (container && placeOf(container, keys)) ?? fallback;
    findings.add("lost", place, container ? `${container.original}: ${keys.join(".")}` : path.join("."), message);
  }
}

/** The place of the longest known part of a path. */
function placeOf(container: DraftContainer, keys: readonly string[]): Place | undefined {
  for (let length = keys.length; length >= 0; length--) {
    const place = container.places.get(keys.slice(0, length).join("."));
    if (place) return place;
  }
  return undefined;
}
