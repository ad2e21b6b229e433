// An app as it takes shape: what compose files and Quadlets have in common.
import { appName } from "../components/app/schema.ts";
import { faultsIn } from "../components/schema/faults.ts";
import { plainSecrets } from "../policy/rules.ts";
import type { Findings, Place } from "./findings.ts";
import { nameOf, sizeOf } from "./words.ts";

export type Port = { port: number; publish?: number; protocol?: "udp"; address?: string };
export type Volume = string | { host: string; readOnly?: true };

/** A container with the keys of its entry. */
export interface Entry {
  image?: string;
  command?: string[];
  environment?: Record<string, string>;
  secrets?: Record<string, "configured">;
  secretEnvironment?: Record<string, "configured">;
  files?: Record<string, string>;
  volumes?: Record<string, Volume>;
  port?: number;
  publish?: number;
  ports?: Port[];
  health?: string[] | { http: string };
  quadlet?: Record<string, string | number | boolean | (string | number | boolean)[]>;
  memory?: string;
  cpus?: number;
}

/** Ports of protocols that Caddy does not serve, which other machines reach directly. */
const DIRECT = new Set([
  ...[20, 21, 22, 23, 25, 53, 110, 143, 389, 465, 514, 587, 636, 853, 873, 989, 990, 993, 995, 1194, 1812, 1813, 1883],
  ...[2222, 3306, 3389, 4190, 5060, 5061, 5222, 5269, 5349, 5432, 5672, 6379, 6881, 8883, 25565, 27017, 51413, 51820],
]);

/** Options of a mount that change nothing here. */
const HARMLESS =
  /^(ro|readonly|rw|z|Z|cached|delegated|consistent|nocopy|copy|bind|rbind|private|rprivate|noexec|nosuid|nodev)$/;

/** Folders of a person, or of a person's systemd. */
export const HOME = /^(~|%[hESCTVD]|\$HOME|\/home\/|\/root(\/|$))/;

const ENGINE = /\/(docker|podman)\.sock$|^(%t|\/run(\/user\/\d+)?)\/podman(\/|$)/;

export class DraftContainer {
  readonly entry: Entry = {};
  /** Names by which other containers reach it. */
  readonly names = new Set<string>();
  readonly original: string;
  /** The values of secret variables, to compare them; they are never printed. */
  readonly secretValues = new Map<string, string>();
  shmSize: string | undefined;
  /** Where a key of the entry comes from. */
  readonly places = new Map<string, Place>();
  readonly #app: DraftApp;
  readonly #findings: Findings;

  constructor(app: DraftApp, original: string, place: Place) {
    this.#app = app;
    this.#findings = app.findings;
    this.original = original;
    this.names.add(original);
    this.places.set("", place);
  }

  get what(): string {
    return this.original;
  }

  lost(place: Place, key: string, reason: string): void {
    this.#findings.add("lost", place, `${this.what}: ${key}`, reason);
  }
  changed(place: Place, key: string, reason: string): void {
    this.#findings.add("changed", place, `${this.what}: ${key}`, reason);
  }
  moot(place: Place, key: string, reason: string): void {
    this.#findings.add("moot", place, `${this.what}: ${key}`, reason);
  }

  set<Key extends keyof Entry>(key: Key, value: Entry[Key], place: Place): void {
    this.entry[key] = value;
    this.places.set(key, place);
  }

  /** A key of a Quadlet; several values make a list. */
  key(name: string, value: string | number | boolean, place: Place): void {
    this.entry.quadlet ??= {};
    const before = this.entry.quadlet[name];
    this.entry.quadlet[name] = before === undefined ? value : [before, value].flat();
    this.places.set(`quadlet.${name}`, place);
  }

  /** An image; a short name is one of Docker Hub's. */
  image(given: string, place: Place): void {
    const [first = "", ...others] = given.split("/");
    const hasRegistry = others.length > 0 && (/[.:]/.test(first) || first === "localhost");
    this.set("image", hasRegistry ? given : `docker.io/${others.length > 0 ? "" : "library/"}${given}`, place);
  }

  variable(name: string, value: string, place: Place): void {
    // A variable of several lines does not fit into a file of variables.
    const secret =
      value.includes("\n") || plainSecrets({ [name]: value }, []).length > 0 || /:\/\/[^/\s:@]*:[^/\s@]+@/.test(value);
    this.places.set(`environment.${name}`, place);
    delete this.entry.environment?.[name];
    if (this.secretValues.delete(name)) delete this.entry.secretEnvironment?.[name];
    if (!secret) {
      this.entry.environment ??= {};
      this.entry.environment[name] = value;
      return;
    }
    this.secretVariable(name, place, value);
  }

  secretVariable(name: string, place: Place, value = ""): void {
    this.entry.secretEnvironment ??= {};
    this.entry.secretEnvironment[name] = "configured";
    this.places.set(`secretEnvironment.${name}`, place);
    this.secretValues.set(name, value);
  }

  /** A secret file in /run/secrets. */
  secret(name: string, place: Place): void {
    this.entry.secrets ??= {};
    this.entry.secrets[name] = "configured";
    this.places.set(`secrets.${name}`, place);
  }

  /** A published port. `host` is empty if any was meant. */
  publish(address: string, host: string, container: string, protocol: string, place: Place): void {
    const key = `port ${[address, host, container].filter(Boolean).join(":")}`;
    const inside = range(container);
    const outside = host === "" ? inside : range(host);
    if (!inside || !outside || inside.length !== outside.length || inside.length > 1000)
      this.lost(place, key, "is no port or range of ports that can be published");
    else if (protocol !== "tcp" && protocol !== "udp") this.lost(place, key, `${protocol} cannot be published`);
    else if (address.includes(":"))
      this.lost(place, key, "an IPv6 address cannot be published: networks of apps have IPv4");
    else
      for (const [index, port] of inside.entries())
        this.#publishOne(address, outside[index] as number, port, protocol, place, key);
  }

  #publishOne(given: string, publish: number, port: number, protocol: "tcp" | "udp", place: Place, key: string): void {
    const everywhere = given === "" || given === "0.0.0.0";
    const local = given.startsWith("127.") || given === "localhost";
    const own =
      protocol === "tcp" && this.entry.port === undefined && (local || everywhere) && !this.#direct(port, publish);
    const web = everywhere && protocol === "tcp" && !this.#direct(port, publish);
    if (web)
      this.changed(
        place,
        key,
        'other machines reached it; now only this host does, and Caddy with `site`. Add `address: "*"` in `ports` to publish it as before',
      );
    const free = web ? this.#app.freePort(publish < 1024 ? publish + 8000 : publish) : publish;
    if (own) {
      this.set("port", port, place);
      if (free !== port) this.set("publish", free, place);
      return;
    }
    const one: Port = { port };
    if (free !== port) one.publish = free;
    if (protocol === "udp") one.protocol = "udp";
    if (!local && !web) one.address = everywhere ? "*" : given;
    if (one.address === "*")
      this.changed(place, key, "other machines reach it, so that policy.ports has to contain it");
    this.entry.ports = [...(this.entry.ports ?? []), one];
    this.places.set("ports", place);
    this.places.set(`ports.${this.entry.ports.length - 1}`, place);
  }

  #direct(port: number, publish: number): boolean {
    return DIRECT.has(port) || DIRECT.has(publish);
  }

  /** A mount: a named volume, a folder beside the file, or one of the host. */
  mount(source: string, target: string, options: readonly string[], place: Place): void {
    const key = `volume ${source}:${target}`;
    const path = target.replace(/(.)\/+$/, "$1");
    const readOnly = options.some((option) => option === "ro" || option === "readonly");
    for (const option of options)
      if (/^(U|idmap)(=|$)/.test(option))
        this.moot(place, key, `${option}: the folders of an app belong to its account`);
      else if (!HARMLESS.test(option)) this.lost(place, key, `the option ${option} of a mount has no equivalent`);
    if (ENGINE.test(source)) {
      this.lost(place, key, "the socket of the container engine is root's access to the whole host");
    } else if (/^\/dev\/(?!shm(\/|$))/.test(source)) {
      this.key("AddDevice", source === path ? source : `${source}:${path}`, place);
      this.changed(place, key, "is now a device in quadlet.AddDevice");
    } else {
      this.places.set(`volumes.${path}`, place);
      this.entry.volumes ??= {};
      this.entry.volumes[path] = this.#volume(HOME.test(source) ? `./${source}` : source, readOnly, key, place);
    }
  }

  #volume(source: string, readOnly: boolean, key: string, place: Place): Volume {
    if (source.startsWith("/")) return readOnly ? { host: source, readOnly: true } : { host: source };
    if (readOnly)
      this.changed(place, key, "the app can write to its own folders: only folders of the host are read-only");
    return this.#app.folder(source, place);
  }

  /** A file beside the one that is read. */
  file(target: string, content: string, place: Place): void {
    this.entry.files ??= {};
    this.entry.files[target] = content;
    this.places.set(`files.${target}`, place);
  }

  /** A public name under which a proxy served it. */
  serve(domain: string, place: Place): void {
    const there = this.#app.site?.domain ?? domain;
    if (!DOMAIN.test(domain)) this.changed(place, domain, "is not a domain name in lower case: add `site`");
    else if (there !== domain)
      this.changed(place, domain, `an app has one site, which is ${there}: add the other to \`caddy.sites\``);
    else this.#app.site ??= { domain, container: this, place };
  }

  /** The port at which a proxy reached it. */
  servedPort(port: number, place: Place): void {
    if (this.entry.port !== undefined) return;
    this.set("port", port, place);
    const free = this.#app.freePort(port < 1024 ? port + 8000 : port);
    if (free !== port) this.set("publish", free, place);
  }

  shm(given: string, place: Place): void {
    this.shmSize = sizeOf(given);
    if (this.shmSize === undefined) this.lost(place, "shm_size", `${given} is no size`);
  }

  limitMemory(given: string, place: Place): void {
    const size = sizeOf(given);
    if (size === undefined) this.lost(place, "memory", `${given} is no size`);
    else this.set("memory", size, place);
  }
}

const DOMAIN = /^([a-z0-9]([a-z0-9-]*[a-z0-9])?\.)+[a-z][a-z0-9-]*$/;

const range = (text: string): number[] | undefined => {
  const [, first = "", last = first] = /^(\d+)(?:-(\d+))?$/.exec(text) ?? [];
  const length = Number(last) - Number(first) + 1;
  return first === "" || length < 1 ? undefined : Array.from({ length }, (_, index) => Number(first) + index);
};

/** An app whose containers are being collected. */
export class DraftApp {
  readonly name: string;
  readonly findings: Findings;
  readonly containers = new Map<string, DraftContainer>();
  site: { domain: string; container: DraftContainer; place: Place } | undefined;
  readonly #folders = new Map<string, string>();
  readonly #from = new Map<string, { source: string; place: Place }>();

  /** Ports of the loopback interface that were chosen. */
  readonly #ports = new Set<number>();

  constructor(name: string, findings: Findings) {
    const short = nameOf(name).slice(0, 20).replace(/-+$/, "");
    // Some names are accounts of the system or of the platform, or have the ending of a part of an app.
    this.name = faultsIn(appName, short).length > 0 ? `${short}-app` : short;
    this.findings = findings;
  }

  container(original: string, place: Place): DraftContainer {
    const made = new DraftContainer(this, original, place);
    let name = nameOf(original);
    while (this.containers.has(name)) name = `${name.slice(0, 28)}-b`;
    this.containers.set(name, made);
    return made;
  }

  /** A port of the loopback interface, which only Caddy uses. */
  freePort(wanted: number): number {
    let port = wanted;
    while (this.#ports.has(port)) port++;
    this.#ports.add(port);
    return port;
  }

  /** The folder of the app for a named volume, or for a folder beside the file. */
  folder(source: string, place: Place): string {
    const known = this.#folders.get(source);
    if (known) return known;
    const beside = source.startsWith(".");
    const base = nameOf(
      beside
        ? (source
            .split("/")
            .filter((part) => !/^(\.*|~|%\w|\$HOME)$/.test(part))
            .at(-1) ?? "data")
        : source,
    );
    const taken = [...this.#folders.values()];
    let folder = base;
    for (let count = 2; taken.includes(folder); count++) folder = `${base.slice(0, 28)}-${count}`;
    this.#folders.set(source, folder);
    this.#from.set(folder, { source, place });
    return folder;
  }

  /** Names the folders whose contents have to be copied, of the containers that are left. */
  nameFolders(): void {
    const used = [...this.containers.values()].flatMap(({ entry }) => Object.values(entry.volumes ?? {}));
    for (const [folder, { source, place }] of this.#from)
      if (used.includes(folder))
        this.findings.add(
          "changed",
          place,
          `volume ${source}`,
          `is now /var/lib/apps/${this.name}/${folder}: copy its contents there`,
        );
  }
}
