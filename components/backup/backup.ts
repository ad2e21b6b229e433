import * as pulumi from "@pulumi/pulumi";
import * as random from "@pulumi/random";
import type { Host } from "../host/host.ts";
import { Packages } from "../host/packages.ts";
import { Release } from "../host/release.ts";
import { legible } from "../sdk/legible.ts";
import type { BackupSettings } from "./schema.ts";
import { backupManifest, backupSecrets, placeOf, SECRETS } from "./views.ts";

export interface BackupArgs extends BackupSettings {
  host: Host;
  /** What must be well before: PostgreSQL, which is restarted once, and whoever should not meet that while it starts. */
  after: readonly pulumi.Resource[];
  /** Opens the repository: the SFTP private key, or the secret of the S3 key. @default - it needs none */
  key?: pulumi.Input<string>;
  /** The passphrase of a repository that is there already. @default - the one that the host knows, or one that is generated */
  passphrase?: pulumi.Input<string>;
}

/**
 * Backups of PostgreSQL, to the minute, and of the folders that releases call their data, in a repository of which nobody
 * can read anything without the passphrase. A timer makes them; another one restores the newest aside and looks at it.
 *
 * @example
 * new Backup("backup", { host, after: postgres.ready, ...backupSchema.parse({ repository: { path: "/srv/backups" } }) });
 */
export class Backup extends pulumi.ComponentResource {
  /** What a restore on another host needs, secret: to be kept where neither this host nor the state is. */
  readonly recovery: pulumi.Output<{ passphrase: string; repository: string }>;
  /** To depend on: resolved once the repositories are there and WAL arrives in them. */
  readonly ready: pulumi.Resource[];

  constructor(name: string, args: BackupArgs, opts?: pulumi.ComponentResourceOptions) {
    super("gatehouse:index:Backup", name, {}, opts);
    const { host, after, key, passphrase: given, ...settings } = args;
    const { repository } = settings;
    const { postgres: names, backup } = host.platform;
    const below = { parent: this };

    const packages = new Packages(
      name,
      { host, names: [...backup.packages, ...(repository.sftp ? backup.sftp : [])] },
      below,
    );
    const generated = given === undefined;
    const passphrase = pulumi.secret(given ?? this.generated(name));
    const secrets = new Release(
      SECRETS,
      {
        host,
        manifest: pulumi
          .output({ passphrase, key })
          .apply((plain) => ({ ...backupSecrets(names, repository, { ...plain, generated }), gives: [name] })),
        secret: true,
      },
      // Its owner is PostgreSQL's user.
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
      new Release(name, { host, manifest, sketch }, { ...below, dependsOn: [packages, secrets, ...after] }),
    ];
    this.registerOutputs({ recovery: this.recovery });
  }

  private generated(name: string): pulumi.Output<string> {
    return new random.RandomPassword(`${name}-passphrase`, { length: 48, special: false }, { parent: this }).result;
  }
}
