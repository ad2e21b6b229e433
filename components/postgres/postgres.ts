import * as pulumi from "@pulumi/pulumi";
import * as random from "@pulumi/random";
import { Component } from "../host/component.ts";
import { Group } from "../host/group.ts";
import type { Host } from "../host/host.ts";
import { Packages } from "../host/packages.ts";
import { Release } from "../host/release.ts";
import { settingsOf } from "../host/settings.ts";
import type { PostgresInput } from "./input.ts";
import { clusterManifest, passwordsManifest, postgresManifest, scramVerifier } from "./manifest.ts";
import { postgresSchema } from "./schema.ts";

/** A host has one PostgreSQL, whatever a program calls it. */
const NAME = "postgres";

/** PostgreSQL's settings, databases and roles. */
export interface PostgresArgs extends PostgresInput {
  /** The host that it runs on, which has no other one. */
  host: Host;
  /** Directory of the backup repository, if it is on the host. @default - it is elsewhere, or there is no backup */
  repository?: pulumi.Input<string | undefined>;
}

/**
 * PostgreSQL as a native service that listens only in its socket directory. Members of the group `clients` can open the
 * socket. Roles are authenticated by the kernel (peer authentication), so there is no password to leak.
 *
 * @example
 * const postgres = new Postgres("postgres", {
 *   host,
 *   settings: { max_connections: 200 },
 *   databases: { grafana: {} },
 * });
 * new App("grafana", { host, postgres, containers: { web: { image: "docker.io/grafana/grafana:12.3.0", port: 3000 } } });
 */
export class Postgres extends Component {
  /** Members of this group may use the socket. */
  readonly clients: Group;
  /** Its systemd unit. */
  readonly unit: string;
  /** To mount into a container, read-only: the socket in it is recreated at each start. */
  readonly socketDirectory: string;
  /** Part of the name of the socket file; nothing listens on TCP. */
  readonly port = 5432;
  /** Version by package name, as the package manager reports it. */
  readonly versions: pulumi.Output<Record<string, string>>;
  /** Passwords of the roles that use scram, secret. */
  readonly passwords: Record<string, pulumi.Output<string>>;
  /** For `dependsOn`: resolved once PostgreSQL is healthy and all roles and databases exist. */
  readonly ready: pulumi.Resource[];

  constructor(name: string, args: PostgresArgs, opts?: pulumi.ComponentResourceOptions) {
    const { host, repository, ...given } = args;
    const settings = settingsOf("Postgres", name, postgresSchema, given);
    const { roles } = settings.shape;
    super("Postgres", name, opts);
    const names = host.platform.postgres;
    const below = { parent: this };

    this.unit = names.unit;
    this.socketDirectory = names.socketDirectory;
    this.clients = new Group(`${name}-clients`, { host, groupName: `${NAME}-clients`, gid: settings.args.gid }, below);
    const defaults = clusterManifest(names);
    const first =
      defaults && new Release(`${name}-cluster`, { host, releaseName: `${NAME}-cluster`, manifest: defaults }, below);
    const packages = new Packages(
      name,
      { host, setName: NAME, names: names.packages, held: [names.unit] },
      { ...below, dependsOn: first },
    );
    this.versions = packages.versions;
    const manifest = settings.manifest(
      (options, repository) => postgresManifest(names, this.clients.groupName, options, repository),
      repository,
    );
    const release = new Release(
      name,
      { host, releaseName: NAME, ...manifest },
      { ...below, dependsOn: [packages, this.clients] },
    );
    const scram = Object.keys(roles).filter((role) => roles[role]?.auth === "scram");
    this.passwords = Object.fromEntries(scram.map((role) => [role, this.password(name, role)]));
    this.ready = [release, ...this.setPasswords(name, host, release)];
    this.registerOutputs({ versions: this.versions });
  }

  private setPasswords(name: string, host: Host, release: Release): Release[] {
    const roles = Object.keys(this.passwords);
    if (roles.length === 0) return [];
    const verifiers = roles.map((role) => {
      // The salt is stored in the state: a new one in each run would be a change in each run.
      const salt = new random.RandomBytes(`${name}-${role}-salt`, { length: 16 }, { parent: this });
      return pulumi
        .all([this.passwords[role] as pulumi.Output<string>, salt.base64])
        .apply(([secret, base64]) => [role, scramVerifier(secret, Buffer.from(base64, "base64"))] as const);
    });
    const manifest = pulumi
      .all(verifiers)
      .apply((pairs) => passwordsManifest(host.platform.postgres, Object.fromEntries(pairs)));
    const args = { host, releaseName: `${NAME}-passwords`, manifest, secret: true };
    return [new Release(`${name}-passwords`, args, { parent: this, dependsOn: [release] })];
  }

  private password(name: string, role: string): pulumi.Output<string> {
    return new random.RandomPassword(`${name}-${role}`, { length: 48, special: false }, { parent: this }).result;
  }
}
