import type { Facts } from "../../protocol/facts.ts";
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
import { known, settingsOf } from "../host/settings.ts";
import type { RegistriesArgs } from "../registries/registries.ts";
import { registriesSchema } from "../registries/schema.ts";
import { type Fault, faultsIn } from "../schema/faults.ts";

/**
 * The configuration of a platform: the keys of docs/configuration.md, with the secrets beside the settings that they
 * belong to. A secret may be an Output.
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
  /** What `Gatehouse.inspect` returned. @default - the host was not inspected: drift is neither reported nor reverted */
  facts?: Facts;
}

/**
 * Validates the arguments of all parts at once, and fills in their defaults.
 *
 * @throws pulumi.RunError with every fault and its path.
 */
export function allSettings(name: string, args: GatehouseArgs) {
  const { registries, facts, ...others } = args;
  const { privateKey, ...host } = args.host;
  const { secretEnvironment, ...authentik } = args.authentik;
  const { key, passphrase, ...backup } = args.backup ?? {};
  const plain = { ...others, host, authentik, backup: args.backup && backup };
  const settings = settingsOf(
    "Gatehouse",
    name,
    settingsSchema,
    plain,
    known({ authentik: args.authentik, backup: args.backup, registries }, faultsOfSecrets),
  );
  return {
    ...settings,
    registries,
    host: { ...settings.host, privateKey },
    authentik: { ...settings.authentik, secretEnvironment },
    backup: settings.backup && { ...settings.backup, key, passphrase },
  };
}

function* faultsOfSecrets({
  authentik,
  backup,
  registries = {},
}: Pick<GatehouseArgs, "authentik" | "backup" | "registries">): Generator<Fault> {
  const below = (part: string) => (fault: Fault) => ({ ...fault, path: [part, ...fault.path] });
  const { secretEnvironment = {}, ...settings } = authentik;
  const environment = secretEnvironmentFaults(secretEnvironment, settings as Partial<Settings["authentik"]>);
  yield* [...environment].map(below("authentik"));
  if (backup) yield* [...secretFaults(backup.repository, backup)].map(below("backup"));
  yield* faultsIn(registriesSchema, registries).map(below("registries"));
}

/** What the settings expect of the host. */
export const expectationsOf = ({
  host,
  postgres,
  valkey,
}: Pick<Settings, "host" | "postgres" | "valkey">): Expectations => ({
  platform: platforms[host.platform],
  gids: { "postgres-clients": postgres.gid, "valkey-clients": valkey.gid },
});
