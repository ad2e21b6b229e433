import * as pulumi from "@pulumi/pulumi";
import * as random from "@pulumi/random";
import type { Host } from "../host/host.ts";
import { Packages } from "../host/packages.ts";
import { Release } from "../host/release.ts";
import { legible } from "../sdk/legible.ts";
import { backupManifest, backupSecrets, placeOf, SECRETS } from "./manifest.ts";
import type { BackupSettings } from "./schema.ts";

/** A host has one backup, whatever a program calls it. */
const NAME = "backup";

export interface BackupArgs extends BackupSettings {
  host: Host;
  /**
   * Resources that must be healthy first: PostgreSQL, which is restarted once, and clients with a first start that the
   * restart must not interrupt.
   */
  after: readonly pulumi.Resource[];
  /** Key to the repository: the SFTP private key, or the secret of the S3 key. @default - the repository needs none */
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
 * new Backup("backup", { host, after: postgres.ready, ...backupSchema.parse({ repository: { path: "/srv/backups" } }) });
 */
export class Backup extends pulumi.ComponentResource {
  /** Secrets for a restore on another host. Store them away from both this host and the state. */
  readonly recovery: pulumi.Output<{ passphrase: string; repository: string }>;
  /** For `dependsOn`: resolved once the repositories exist and receive WAL. */
  readonly ready: pulumi.Resource[];

  constructor(name: string, args: BackupArgs, opts?: pulumi.ComponentResourceOptions) {
    super("gatehouse:index:Backup", name, {}, opts);
    const { host, after, key, passphrase: given, ...settings } = args;
    const { repository } = settings;
    const { postgres: names, backup } = host.platform;
    const below = { parent: this };

    const packages = new Packages(
      name,
      { host, setName: NAME, names: [...backup.packages, ...(repository.sftp ? backup.sftp : [])] },
      below,
    );
    const generated = given === undefined;
    const passphrase = pulumi.secret(given ?? this.generated(name));
    const secrets = new Release(
      `${name}-secrets`,
      {
        host,
        releaseName: SECRETS,
        manifest: pulumi
          .output({ passphrase, key })
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
