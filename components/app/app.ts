import * as pulumi from "@pulumi/pulumi";
import { Account } from "../host/account.ts";
import { Component } from "../host/component.ts";
import { type GroupHandle, usableGid } from "../host/group.ts";
import type { Host } from "../host/host.ts";
import { sharedPackages } from "../host/packages.ts";
import { Release, type ReleaseArgs } from "../host/release.ts";
import { legible } from "../sdk/legible.ts";
import { siteManifest } from "../site/site.ts";
import type { AppArgs } from "./args.ts";
import { unwritable } from "./container.ts";
import { databaseManifest } from "./database.ts";
import { type AppView, appManifest, secretsManifest } from "./manifest.ts";
import { homeOf, type Part, releaseOf, valkeyOf } from "./names.ts";
import { appSettings, hasSecrets, partsOf } from "./schema.ts";
import { siteOf } from "./site.ts";
import { valkeyManifest } from "./valkey.ts";

/** A socket that a group may use, and the unit that creates it. */
interface Door {
  group: GroupHandle;
  /** Name of the group for a preview in which its GID is not known yet. */
  called: string;
  unit: string;
  directory: string;
}

/** Values from the host. */
type Numbers = Pick<AppView, "uid" | "gid" | "sockets" | "secrets">;

type Given = ReturnType<typeof appSettings<Omit<AppArgs, "host">>>;
type DependsOn = pulumi.ComponentResourceOptions["dependsOn"];

/**
 * Containers, jobs or files beside the platform, declared in the same program or in another stack. The processes run as
 * a system account with the name of the app; its supplementary groups are exactly those of the sockets that the app
 * uses.
 *
 * Deleting an app stops its units and removes its files. Its role, database, volumes, Valkey data, secrets and accounts
 * remain, and a new app with the same name uses them again. With `purge`, only the accounts remain.
 *
 * @throws pulumi.RunError with every fault in the arguments, before any resource is declared.
 * @example
 * new App("grafana", {
 *   host,
 *   postgres,
 *   containers: { web: { image: "docker.io/grafana/grafana:12.3.0", port: 3000, health: { http: "/api/health" } } },
 *   site: { domain: "grafana.example.org", port: 3000 },
 * });
 */
export class App extends Component {
  /** The public address; undefined without a site. */
  readonly url: pulumi.Output<string> | undefined;
  /** The account that its processes run as. */
  readonly account: Account;
  /** For `dependsOn`: resolved once the app is healthy. */
  readonly ready: pulumi.Resource[];
  readonly #name: string;
  /** Its name on the host. */
  readonly #app: string;
  readonly #host: Host;
  readonly #purge: pulumi.Input<boolean> | undefined;
  readonly #releases: readonly string[];

  constructor(name: string, args: AppArgs, opts?: pulumi.ComponentResourceOptions) {
    const { host, appName: app = name, postgres, ...given } = args;
    const settings = appSettings(app, {
      ...given,
      database: postgres?.database,
      connections: postgres?.connections,
    });
    const shape = { ...settings.shape, database: postgres && (settings.shape.database ?? app) };
    const { containers, database, valkey } = shape;
    super("App", name, opts, { appName: args.appName });
    this.#name = name;
    this.#app = app;
    this.#host = host;
    this.#purge = settings.args.purge;
    this.#releases = [releaseOf(app), ...partsOf(shape).map((part) => releaseOf(app, part))];

    const { site } = settings.args;
    this.url = site && pulumi.interpolate`https://${pulumi.output(site).domain}`;
    const server = valkey && this.server();
    const doors = [...(postgres ? [this.postgresDoor(postgres)] : []), ...(server ? [this.valkeyDoor(server)] : [])];
    this.account = new Account(
      name,
      { host, accountName: app, home: homeOf(app), groups: doors.map(({ group }) => group), releases: this.#releases },
      { parent: this, dependsOn: server },
    );
    const stores = [
      ...(database ? [this.database(settings, [this.account, ...(postgres?.ready ?? [])])] : []),
      ...(valkey ? [this.ownValkey(settings, [this.account, sharedPackages(host, "valkey")])] : []),
    ];
    const runs = Object.keys(containers).length > 0 ? [sharedPackages(host, "podman")] : [];
    const releaseName = releaseOf(app);
    const release = new Release(
      `${name}-app`,
      {
        host,
        releaseName,
        ...this.manifest(settings, database, doors, this.secrets(given.containers)),
        purge: this.#purge,
      },
      { parent: this, dependsOn: [this.account, ...runs, ...stores], aliases: [{ name: releaseName }] },
    );
    this.ready = [release];
    this.registerOutputs({ url: this.url });
  }

  private release(
    part: Part,
    manifest: Pick<ReleaseArgs, "manifest" | "sketch">,
    dependsOn: DependsOn,
    secret = false,
  ) {
    const releaseName = releaseOf(this.#app, part);
    const args = { host: this.#host, releaseName, ...manifest, secret, purge: this.#purge };
    return new Release(`${this.#name}-app-${part}`, args, {
      parent: this,
      dependsOn,
      aliases: [{ name: releaseName }],
    });
  }

  /** Account for a Valkey of this app alone. Only its group may use the socket. */
  private server(): Account {
    const { account: accountName, data } = valkeyOf(this.#app);
    const args = { host: this.#host, accountName, home: data, releases: this.#releases };
    return new Account(`${this.#name}-valkey`, args, { parent: this });
  }

  private database(settings: Given, dependsOn: DependsOn): Release {
    const app = this.#app;
    const manifest = settings.manifest(({ database = app, connections }) =>
      databaseManifest(this.#host.platform.postgres, app, database, connections),
    );
    return this.release("postgres", manifest, dependsOn);
  }

  private ownValkey(settings: Given, dependsOn: DependsOn): Release {
    const manifest = settings.manifest(({ valkey = {} }) => valkeyManifest(this.#app, valkey));
    return this.release("valkey", manifest, dependsOn);
  }

  private postgresDoor({ clients }: NonNullable<AppArgs["postgres"]>): Door {
    const { unit, socketDirectory } = this.#host.platform.postgres;
    return { group: clients, called: "postgres-clients", unit, directory: socketDirectory };
  }

  private valkeyDoor({ accountName, gid }: Account): Door {
    const { unit, socketDirectory } = valkeyOf(this.#app);
    const group = { groupName: accountName, gid };
    return { group, called: accountName, unit, directory: socketDirectory };
  }

  /** The secrets are a release of their own, which is secret as a whole; undefined if no container has secrets. */
  private secrets(containers: AppArgs["containers"] = {}): Release | undefined {
    const given = Object.entries(containers)
      .filter(([, container]) => hasSecrets(container))
      .map(([name, { secrets = {}, secretEnvironment = {} }]) => [name, { secrets, secretEnvironment }] as const);
    if (given.length === 0) return undefined;
    const manifest = pulumi.output(Object.fromEntries(given)).apply((plain) => {
      for (const [container, tables] of Object.entries(plain)) refuseOthers(this.#app, container, tables);
      return secretsManifest(this.#app, plain);
    });
    return this.release("secrets", { manifest }, this.account, true);
  }

  private manifest(
    settings: Given,
    database: string | undefined,
    doors: readonly Door[],
    secrets: Release | undefined,
  ) {
    const app = this.#app;
    const { postgres, caddy } = this.#host.platform;
    const sockets = doors.map(({ group, called, unit, directory }) =>
      legible(usableGid(group, app), `gid of ${called}`).apply((gid) => ({ unit, directory, gid })),
    );
    const numbers = pulumi.output({
      uid: legible(this.account.uid, `uid of ${app}`),
      gid: legible(this.account.gid, `gid of ${app}`),
      sockets: pulumi.all(sockets),
      secrets: secrets && legible(secrets.generation, `generation of ${releaseOf(app, "secrets")}`),
    });
    return settings.manifest<Numbers>(
      ({ site, ...values }, given) =>
        appManifest({
          ...values,
          ...given,
          app,
          database: database === undefined ? undefined : { names: postgres, name: values.database ?? app },
          // The Caddy fragment and the main release have the same name.
          site: site && siteManifest(caddy, site.tls, releaseOf(app), siteOf(app, site)),
          served: site?.files === undefined ? undefined : { folder: site.files, names: caddy },
        }),
      numbers,
      { uid: 0, gid: 0, sockets: [], secrets: secrets && 0 },
    );
  }
}

/**
 * Checks the secrets of a container once they are known: the Output of a missing configuration key has no value.
 *
 * @throws pulumi.RunError with the first that is no text, without its value.
 */
function refuseOthers(app: string, container: string, tables: Readonly<Record<string, object>>): void {
  for (const [key, secrets] of Object.entries(tables))
    for (const [name, value] of Object.entries(secrets)) {
      const got = value === undefined ? "an Output without a value" : `an Output with a ${typeof value}`;
      const fault = typeof value === "string" ? unwritable(value) : `expected text, got ${got}`;
      if (fault) throw new pulumi.RunError(`App ${app}: containers.${container}.${key}.${name}: ${fault}`);
    }
}
