import * as pulumi from "@pulumi/pulumi";
import * as random from "@pulumi/random";
import { Component } from "../host/component.ts";
import type { Host } from "../host/host.ts";
import { Packages } from "../host/packages.ts";
import { Release } from "../host/release.ts";
import { settingsOf } from "../host/settings.ts";
import { legible } from "../sdk/legible.ts";
import { isTable } from "../sdk/outputs.ts";
import type { BackupInput } from "./input.ts";
import { backupManifest, backupSecrets, placeOf, SECRETS } from "./manifest.ts";
import { backupSchema } from "./schema.ts";
import { oneLine, secretFaults, wholeKey } from "./secrets.ts";

/** A host has one backup, whatever a program calls it. */
const NAME = "backup";

/** Where backups are kept, when they are created, and the secrets of the repository. */
export interface BackupArgs extends BackupInput {
  /** The host whose PostgreSQL and folders are backed up. */
  host: Host;
  /**
   * Resources that must be healthy first: PostgreSQL, which is restarted once, and clients with a first start that the
   * restart must not interrupt.
   */
  after: readonly pulumi.Resource[];
  /**
   * Key to the repository: the private key for `sftp`, the secret of `keyId` for `s3`. @default - none; `path` needs no key
   */
  key?: pulumi.Input<string>;
  /** Passphrase of an existing repository. @default - the one on the host, or a generated one */
  passphrase?: pulumi.Input<string>;
}

/**
 * Backups of PostgreSQL, with a recovery point at most a minute old, and of the directories that releases declare as
 * data, in a repository that is unreadable without the passphrase. One timer creates them; another restores the newest
 * one beside the running services and checks it.
 *
 * @example
 * const postgres = new Postgres("postgres", { host });
 * const backup = new Backup("backup", { host, after: postgres.ready, repository: { path: "/srv/backups" } });
 * export const recovery = backup.recovery;
 */
export class Backup extends Component {
  /** Secrets for a restore on another host. Store them away from both this host and the state. */
  readonly recovery: pulumi.Output<{ passphrase: string; repository: string }>;
  /** For `dependsOn`: resolved once the repositories exist and receive WAL. */
  readonly ready: pulumi.Resource[];

  constructor(name: string, args: BackupArgs, opts?: pulumi.ComponentResourceOptions) {
    const { host, after, key, passphrase: chosen, ...given } = args;
    const settings = settingsOf("Backup", name, backupSchema, given, {
      given: { repository: given.repository, key, passphrase: chosen },
      faults: (given) => secretFaults(isTable(given.repository) ? given.repository : {}, given),
    });
    super("Backup", name, opts);
    const { sftp } = settings.shape.repository;
    const repository = pulumi.output(settings.of(["repository"], ({ repository }) => repository));
    const { postgres: names, backup } = host.platform;
    const below = { parent: this };

    const packages = new Packages(
      name,
      { host, setName: NAME, names: [...backup.packages, ...(sftp ? backup.sftp : [])] },
      below,
    );
    const generated = chosen === undefined;
    const passphrase = pulumi.secret(chosen ?? this.generated(name)).apply(oneLine);
    const opens = pulumi.output(key).apply((text) => text && (sftp ? wholeKey : oneLine)(text));
    const secrets = new Release(
      `${name}-secrets`,
      {
        host,
        releaseName: SECRETS,
        manifest: pulumi.output({ repository, passphrase, key: opens }).apply(({ repository, ...plain }) => ({
          ...backupSecrets(names, repository, { ...plain, generated }),
          gives: [NAME],
        })),
        secret: true,
      },
      // One of the files is owned by PostgreSQL's user, which must exist.
      { ...below, dependsOn: [...after] },
    );
    const place = repository.apply(placeOf);
    this.recovery = pulumi.secret({
      passphrase: pulumi.all([secrets.opens, place]).apply(([opens, place]) => opens[place] as string),
      repository: place,
    });
    const generation = legible(secrets.generation, `generation of ${SECRETS}`);
    const manifest = settings.manifest(
      (settings, generation) => backupManifest(names, { ...settings, generation }),
      generation,
      0,
    );
    this.ready = [
      new Release(
        name,
        { host, releaseName: NAME, ...manifest },
        { ...below, dependsOn: [packages, secrets, ...after] },
      ),
    ];
    this.registerOutputs({ recovery: this.recovery });
  }

  private generated(name: string): pulumi.Output<string> {
    return new random.RandomPassword(`${name}-passphrase`, { length: 48, special: false }, { parent: this }).result;
  }
}
