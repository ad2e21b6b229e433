import * as pulumi from "@pulumi/pulumi";
import * as random from "@pulumi/random";
import { Component } from "../host/component.ts";
import type { Host } from "../host/host.ts";
import { Packages } from "../host/packages.ts";
import { Release } from "../host/release.ts";
import { known, settingsOf } from "../host/settings.ts";
import { legible } from "../sdk/legible.ts";
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
    const faults = known(args, (plain) => secretFaults(plain.repository ?? {}, plain));
    const settings = settingsOf("Backup", name, backupSchema, given, faults);
    super("Backup", name, opts);
    const { repository } = settings;
    const { postgres: names, backup } = host.platform;
    const below = { parent: this };

    const packages = new Packages(
      name,
      { host, setName: NAME, names: [...backup.packages, ...(repository.sftp ? backup.sftp : [])] },
      below,
    );
    const generated = chosen === undefined;
    const passphrase = pulumi.secret(chosen ?? this.generated(name)).apply(oneLine);
    const opens = pulumi.output(key).apply((text) => text && (repository.sftp ? wholeKey : oneLine)(text));
    const secrets = new Release(
      `${name}-secrets`,
      {
        host,
        releaseName: SECRETS,
        manifest: pulumi
          .output({ passphrase, key: opens })
          .apply((plain) => ({ ...backupSecrets(names, repository, { ...plain, generated }), gives: [NAME] })),
        secret: true,
      },
      // One of the files is owned by PostgreSQL's user, which must exist.
      { ...below, dependsOn: [...after] },
    );
    const place = placeOf(repository);
    this.recovery = pulumi.secret({
      passphrase: secrets.opens.apply((opens) => opens[place] as string),
      repository: place,
    });
    const render = (generation: number) => backupManifest(names, { ...settings, generation });
    const manifest = legible(secrets.generation, `generation of ${SECRETS}`).apply(render);
    const sketch = render(0);
    this.ready = [
      new Release(
        name,
        { host, releaseName: NAME, manifest, sketch },
        { ...below, dependsOn: [packages, secrets, ...after] },
      ),
    ];
    this.registerOutputs({ recovery: this.recovery });
  }

  private generated(name: string): pulumi.Output<string> {
    return new random.RandomPassword(`${name}-passphrase`, { length: 48, special: false }, { parent: this }).result;
  }
}
