import type { Facts } from "../../protocol/facts.ts";
import type { AppSecrets } from "../app/entries.ts";
import { appSecretFaults } from "../app/entry-secrets.ts";
import type { AuthentikArgs } from "../authentik/authentik.ts";
import { secretEnvironmentFaults } from "../authentik/secret-environment.ts";
import type { BackupArgs } from "../backup/backup.ts";
import type { BackupInput } from "../backup/input.ts";
import { secretFaults } from "../backup/secrets.ts";
import type { SettingsInput } from "../config/input.ts";
import { type Settings, settingsSchema } from "../config/schema.ts";
import type { Expectations } from "../connection/agent.ts";
import type { Connection } from "../connection/connection.ts";
import { platforms } from "../distribution/distributions.ts";
import { settingsOf } from "../host/settings.ts";
import type { RegistriesArgs } from "../registries/registries.ts";
import { registriesSchema } from "../registries/schema.ts";
import { type Fault, faultsIn } from "../schema/faults.ts";
import { isTable } from "../sdk/outputs.ts";

/**
 * The configuration of a platform: the keys of docs/configuration.md, with the secrets beside the settings that they
 * belong to. Every value may be an Output, unless it decides which resources exist.
 */
export interface GatehouseArgs extends Omit<SettingsInput, "host" | "authentik" | "backup"> {
  /** The host, and how to connect to it. */
  host: SettingsInput["host"] & Pick<Connection, "privateKey">;
  /** authentik's settings, of which its domain and its version are required, and its secret settings. */
  authentik: SettingsInput["authentik"] & Pick<AuthentikArgs, "secretEnvironment">;
  /** Backups, with the key to their repository. @default - no backups */
  backup?: BackupInput & Pick<BackupArgs, "key" | "passphrase">;
  /** Logins to private registries, for every image on the host. @default none */
  registries?: RegistriesArgs["logins"];
  /** Values of the apps' configured secrets, by app and name. @default none */
  appSecrets?: AppSecrets;
  /** What `Gatehouse.inspect` returned. @default - the host was not inspected: drift is neither reported nor reverted */
  facts?: Facts;
}

/**
 * Validates the arguments of all parts at once.
 *
 * @throws pulumi.RunError with every fault and its path.
 */
export function allSettings(name: string, { registries, appSecrets, facts, ...args }: GatehouseArgs) {
  const { privateKey } = args.host;
  const { secretEnvironment } = args.authentik;
  const { key, passphrase }: Partial<NonNullable<GatehouseArgs["backup"]>> = args.backup ?? {};
  const plain: SettingsInput = {
    ...args,
    host: without(args.host, "privateKey"),
    authentik: without(args.authentik, "secretEnvironment"),
    backup: args.backup && without(args.backup, "key", "passphrase"),
  };
  const secrets = { authentik: args.authentik, backup: args.backup, apps: args.apps, appSecrets, registries };
  const settings = settingsOf("Gatehouse", name, settingsSchema, plain, { given: secrets, faults: faultsOfSecrets });
  const { host, authentik, backup, ...others } = settings.args;
  return {
    shape: settings.shape,
    args: {
      ...others,
      registries,
      appSecrets,
      host: { ...host, privateKey },
      authentik: { ...authentik, secretEnvironment },
      backup: backup && { ...backup, key, passphrase },
    },
  };
}

/** A table without these keys; something else, which is a fault, as it is. */
function without<T extends object, Key extends keyof T>(table: T, ...keys: Key[]): Omit<T, Key> {
  if (!isTable(table)) return table;
  return Object.fromEntries(Object.entries(table).filter(([key]) => !(keys as string[]).includes(key))) as Omit<T, Key>;
}

function* faultsOfSecrets({ authentik, backup, apps, appSecrets = {}, registries = {} }: Secrets): Generator<Fault> {
  const below = (part: string) => (fault: Fault) => ({ ...fault, path: [part, ...fault.path] });
  if (isTable(authentik)) {
    const { secretEnvironment = {}, ...settings } = authentik;
    const environment = secretEnvironmentFaults(secretEnvironment, settings as Partial<Settings["authentik"]>);
    yield* [...environment].map(below("authentik"));
  }
  if (isTable(backup) && isTable(backup.repository))
    yield* [...secretFaults(backup.repository, backup)].map(below("backup"));
  yield* [...appSecretFaults(apps, appSecrets)].map(below("appSecrets"));
  yield* faultsIn(registriesSchema, registries).map(below("registries"));
}
type Secrets = Pick<GatehouseArgs, "authentik" | "backup" | "apps" | "appSecrets" | "registries">;

/** What the settings expect of the host. */
export const expectationsOf = (
  { host }: Pick<Settings, "host">,
  { postgres, valkey }: Pick<SettingsInput, "postgres" | "valkey">,
): Expectations => ({
  platform: platforms[host.platform],
  gids: { "postgres-clients": postgres?.gid, "valkey-clients": valkey?.gid },
});
