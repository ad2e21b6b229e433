import * as pulumi from "@pulumi/pulumi";
import * as random from "@pulumi/random";
import { secretsFolder } from "../../protocol/secrets.ts";
import { Component } from "../host/component.ts";
import { Group } from "../host/group.ts";
import type { Host } from "../host/host.ts";
import { Packages } from "../host/packages.ts";
import { Release } from "../host/release.ts";
import { settingsOf } from "../host/settings.ts";
import { legible } from "../sdk/legible.ts";
import type { ValkeyInput } from "./input.ts";
import { AGENT_USER, secretsOf, userSecrets, valkeyManifest } from "./manifest.ts";
import { valkeySchema } from "./schema.ts";

/** A host has one Valkey for the platform, whatever a program calls it. */
const NAME = "valkey";

/** Valkey's settings, and the database of each application. */
export interface ValkeyArgs extends ValkeyInput {
  /** The host that it runs on, which has no other one. */
  host: Host;
}

/** An application's login to Valkey. */
export interface ValkeyLogin {
  /** `unix://user:password@/path?db=N`, as redis-py and similar clients accept it; secret. */
  url: pulumi.Output<string>;
  /** Directory of secrets on the host, which must be kept while the login is in use. */
  secrets: pulumi.Output<string>;
  /** Changes if and only if the URL changes; while it is unchanged, a host keeps the URL that it has. */
  rotation: pulumi.Output<string>;
}

/**
 * Valkey as a native service on loopback and a group-owned socket. Each application has its own database number and ACL
 * user; no command is allowed without a password.
 *
 * @example
 * const valkey = new Valkey("valkey", { host, settings: { maxmemory: "256mb" }, databases: { grafana: 1 } });
 * export const url = valkey.login("grafana").url;
 */
export class Valkey extends Component {
  /** Members of this group may use the socket. */
  readonly clients: Group;
  /** Its systemd unit. */
  readonly unit: string;
  /** To mount into a container, read-only: the socket in it is recreated at each start. */
  readonly socketDirectory: string;
  /** Path of the socket. */
  readonly socket: string;
  /** The database number of each application. */
  readonly databases: Readonly<Record<string, pulumi.Input<number>>>;
  /** Version by package name, as the package manager reports it. */
  readonly versions: pulumi.Output<Record<string, string>>;
  /** Login URL of each application, secret: `unix://user:password@/path?db=N`. */
  readonly urls: Readonly<Record<string, pulumi.Output<string>>>;
  /** For `dependsOn`: resolved once Valkey is healthy and has its users. */
  readonly ready: pulumi.Resource[];
  readonly #rotation: pulumi.Output<number>;
  readonly #users: Record<string, { password: pulumi.Output<string>; secrets: Release }>;

  constructor(name: string, args: ValkeyArgs, opts?: pulumi.ComponentResourceOptions) {
    const { host, ...given } = args;
    const settings = settingsOf("Valkey", name, valkeySchema, given);
    const { gid, databases = {} } = settings.args;
    const rotation = pulumi.output(settings.of(["rotation"], ({ rotation }) => rotation));
    super("Valkey", name, opts);
    const names = host.platform.valkey;
    const below = { parent: this };

    this.unit = names.unit;
    this.socketDirectory = names.socketDirectory;
    this.socket = `${names.socketDirectory}/valkey.sock`;
    this.databases = databases;
    this.#rotation = rotation;
    this.clients = new Group(`${name}-clients`, { host, groupName: `${NAME}-clients`, gid }, below);
    const packages = new Packages(name, { host, setName: NAME, names: names.packages, held: [names.unit] }, below);
    this.versions = packages.versions;
    const applications = Object.keys(databases).sort();
    this.#users = Object.fromEntries(
      [AGENT_USER, ...applications].map((user) => [user, this.user(name, user, host, rotation)]),
    );
    this.urls = Object.fromEntries(applications.map((application) => [application, this.login(application).url]));
    const generations = Object.entries(this.#users).map(([user, { secrets }]) =>
      legible(secrets.generation, `generation of ${secretsOf(user)}`).apply(
        (generation) => [user, generation] as const,
      ),
    );
    const numbers = pulumi.all(generations).apply((pairs) => Object.fromEntries(pairs) as Record<string, number>);
    const manifest = settings.manifest(
      ({ settings, databaseCount }, generations) =>
        valkeyManifest(names, {
          clientsGroup: this.clients.groupName,
          settings,
          databaseCount,
          applications,
          generations,
        }),
      numbers,
      {},
    );
    this.ready = [
      new Release(name, { host, releaseName: NAME, ...manifest }, { ...below, dependsOn: [packages, this.clients] }),
    ];
    this.registerOutputs({ versions: this.versions });
  }

  /**
   * The login of an application that has a database number.
   *
   * @throws pulumi.RunError if it has none.
   */
  login(application: string): ValkeyLogin {
    const user = this.#users[application];
    const number = this.databases[application];
    if (!user || number === undefined)
      throw new pulumi.RunError(`${application} has no Valkey database: give it a number in valkey.databases`);
    return {
      url: pulumi.interpolate`unix://${application}:${user.password}@${this.socket}?db=${number}`,
      secrets: legible(user.secrets.generation, `generation of ${secretsOf(application)}`).apply((generation) =>
        secretsFolder(secretsOf(application), generation),
      ),
      rotation: pulumi.interpolate`${this.#rotation} ${this.socket} ${number}`,
    };
  }

  private user(name: string, user: string, host: Host, rotation: pulumi.Output<number>) {
    const keepers = { rotation: rotation.apply(String) };
    const password = new random.RandomPassword(
      `${name}-${user}`,
      { length: 48, special: false, keepers },
      { parent: this },
    ).result;
    const manifest = pulumi
      .all([password, rotation])
      .apply(([plain, rotation]) => ({ ...userSecrets(user, plain, rotation), gives: [NAME] }));
    const args = { host, releaseName: secretsOf(user), manifest, secret: true };
    return { password, secrets: new Release(`${name}-${user}`, args, { parent: this }) };
  }
}
