import * as pulumi from "@pulumi/pulumi";
import { z } from "zod";
import type { AppSecrets } from "../app/entries.ts";
import { appSecretFaults } from "../app/entry-secrets.ts";
import { secretEnvironmentFaults } from "../authentik/secret-environment.ts";
import { secretFaults, wholeKey } from "../backup/secrets.ts";
import { type Logins, registriesSchema } from "../registries/schema.ts";
import { type Fault, faultsIn } from "../schema/faults.ts";
import { isConfigSecret } from "../sdk/config-secret.ts";
import { clusterSchema } from "./cluster-schema.ts";
import { misplaced } from "./misplaced.ts";
import { type Settings, settingsSchema } from "./schema.ts";

/** Commands that set each secret setting. */
const SET_SECRET: Record<string, string> = {
  sshKey: "pulumi config set --secret gatehouse:sshKey < KEYFILE",
  authentikSecrets: "pulumi config set --secret --path gatehouse:authentikSecrets.AUTHENTIK_EMAIL__PASSWORD",
  appSecrets: "pulumi config set --secret --path gatehouse:appSecrets.wiki.smtp-password",
  registries: "pulumi config set --secret --path 'gatehouse:registries[\"ghcr.io\"].password'",
  backupKey: "pulumi config set --secret gatehouse:backupKey < KEYFILE",
  backupPassphrase: "pulumi config set --secret gatehouse:backupPassphrase",
};
const SECRET_KEYS = Object.keys(SET_SECRET);
const SETTINGS = [...Object.keys(settingsSchema.shape), "hosts", ...SECRET_KEYS];

/**
 * Reads and validates the stack's configuration. Unknown keys are faults.
 *
 * @returns the arguments of a `Gatehouse`, or of a `GatehouseCluster` if it has `hosts`, with their defaults.
 * @throws pulumi.RunError with every fault and its path.
 */
export function load() {
  const config = new pulumi.Config();
  const prefix = `${pulumi.getProject()}:`;
  const given: Record<string, unknown> = {};
  const faults: Fault[] = [];
  for (const key of Object.keys(pulumi.runtime.allConfig())) {
    const meant = misplaced(key, SETTINGS, pulumi.getProject());
    if (meant !== undefined)
      faults.push({
        path: [key],
        message: `is not read, since it belongs to another project or provider: ${inPlace(key, meant)}`,
      });
    if (!key.startsWith(prefix)) continue;
    const name = key.slice(prefix.length);
    if (/[.[]/.test(name)) {
      faults.push({ path: [name], message: withoutPath(key, name) });
      continue;
    }
    if (SECRET_KEYS.includes(name)) {
      if (!isConfigSecret(key)) faults.push({ path: [name], message: `must be encrypted: ${SET_SECRET[name]}` });
      continue;
    }
    given[name] = decoded(config.require(name));
    if (isConfigSecret(key)) faults.push({ path: [name], message: NOT_SECRET });
  }
  const schema = "hosts" in given ? clusterSchema : settingsSchema;
  const parsed = schema.safeParse(given);
  // Omit the faults of encrypted keys, because their messages may contain the value.
  const shown = ({ path }: Fault) => !isConfigSecret(prefix + String(path[0]));
  faults.push(...faultsIn(schema, given).filter(shown));
  const secrets = tableOf(config.get("authentikSecrets") ?? "{}");
  const secretNames = secrets && Object.keys(secrets);
  if (secrets) faults.push(...environmentFaults(secrets, parsed.data?.authentik));
  else faults.push({ path: ["authentikSecrets"], message: "expected keys and values" });
  const registries = faultsIn(registriesSchema, decoded(config.get("registries") ?? "{}"));
  faults.push(...registries.map(({ path, message }) => ({ path: ["registries", ...path], message })));
  const appSecrets = decoded(config.get("appSecrets") ?? "{}");
  faults.push(...appFaults(given.apps, appSecrets), ...backupFaults(given.backup, config));
  if (faults.length > 0 || !parsed.success) throw new pulumi.RunError(refusal(pulumi.getStack(), faults));
  const secretEnvironment = Object.fromEntries((secretNames ?? []).map((name) => [name, secretOf(config, name)]));
  const privateKey = config.getSecret("sshKey")?.apply(wholeKey);
  const common = {
    authentik: { ...parsed.data.authentik, secretEnvironment },
    registries: config.getSecretObject<Logins>("registries"),
  };
  if ("hosts" in parsed.data) {
    const hosts = Object.entries(parsed.data.hosts).map(([name, host]) => [name, { ...host, privateKey }] as const);
    return { ...parsed.data, ...common, hosts: Object.fromEntries(hosts) };
  }
  const { host, backup, ...settings } = parsed.data;
  return {
    ...settings,
    ...common,
    host: { ...host, privateKey },
    appSecrets: appSecretsOf(config, appSecrets as Record<string, Table>),
    backup: backup && {
      ...backup,
      key: config.getSecret("backupKey"),
      passphrase: config.getSecret("backupPassphrase"),
    },
  };
}

/** Faults in authentik's secret settings, by the keys of the configuration. */
const environmentFaults = (secrets: Table, authentik: Partial<Settings["authentik"]> = {}): Fault[] =>
  [...secretEnvironmentFaults(secrets, authentik)].map(({ path: [first, ...rest], message }) => ({
    path: first === "secretEnvironment" ? ["authentikSecrets", ...rest] : ["authentik", first as string, ...rest],
    message,
  }));

/** The values of the apps' secrets, each as a secret Output. */
function appSecretsOf(config: pulumi.Config, given: Record<string, Table>): AppSecrets {
  const output = (app: string, name: string) =>
    config
      .requireSecretObject<Record<string, Record<string, string>>>("appSecrets")
      .apply((all) => all[app]?.[name] as string);
  const ofApp = (app: string, values: Table) =>
    Object.fromEntries(Object.keys(values).map((name) => [name, output(app, name)]));
  return Object.fromEntries(Object.entries(given).map(([app, values]) => [app, ofApp(app, values)]));
}

/** Faults in the values of the apps' secrets, each with the command that mends it. */
function* appFaults(apps: unknown, secrets: unknown): Generator<Fault> {
  for (const { path, message, remedy } of appSecretFaults(apps, secrets)) {
    const key = `'gatehouse:appSecrets${path.map((name) => `["${String(name)}"]`).join("")}'`;
    const command = { set: `pulumi config set --secret --path ${key}`, remove: `${RM_SECRET} --path ${key}` };
    yield { path: ["appSecrets", ...path], message: remedy ? `${message}: ${command[remedy]}` : message };
  }
}

/** Conflicts between the backup settings, which may be invalid themselves, and their secrets. */
function* backupFaults(backup: unknown, config: pulumi.Config): Generator<Fault> {
  const [key, passphrase] = [config.get("backupKey"), config.get("backupPassphrase")];
  const { repository = {} } = z.looseObject({ repository: z.looseObject({}) }).safeParse(backup).data ?? {};
  for (const { path, message, remedy } of secretFaults(repository, { key, passphrase })) {
    const name = path[0] === "key" ? "backupKey" : "backupPassphrase";
    const command = { set: SET_SECRET[name], remove: `${RM_SECRET} gatehouse:${name}` };
    yield { path: [name], message: remedy ? `${message}: ${command[remedy]}` : message };
  }
  if (!backup && passphrase !== undefined)
    yield {
      path: ["backupPassphrase"],
      message: `is not used without backup: ${RM_SECRET} gatehouse:backupPassphrase`,
    };
}

/** Without --path, Pulumi stores a key with the dots in its name. */
const withoutPath = (key: string, name: string): string =>
  `was set without --path, as one key of this name: ${inPlace(key, name)}`;

/** The commands that remove a key, and set the intended one. */
function inPlace(key: string, name: string): string {
  const [setting = ""] = name.split(/[.[]/);
  const set = `pulumi config set ${SECRET_KEYS.includes(setting) ? "--secret " : ""}--path '${pulumi.getProject()}:${name}' VALUE`;
  return `remove it (\`pulumi config rm '${key}'\`), and \`${set}\``;
}

const RM_SECRET = "pulumi config rm";

type Table = Record<string, unknown>;

/** Parses a secret table; undefined if it is not one. The SDK's own error message would contain the text. */
function tableOf(text: string): Table | undefined {
  const table = decoded(text);
  return typeof table === "object" && table !== null && !Array.isArray(table) ? (table as Table) : undefined;
}

const secretOf = (config: pulumi.Config, name: string): pulumi.Output<string> =>
  config.requireSecretObject<Record<string, unknown>>("authentikSecrets").apply((secrets) => String(secrets[name]));

// Without this check the values would be written to files and the state as plain text, without a message from the SDK.
const NOT_SECRET =
  "is encrypted, but its values are written to files in plain text; secret settings of authentik belong in authentikSecrets";
// Pulumi passes every value as text; objects, numbers and booleans as JSON.
function decoded(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

function refusal(stack: string, faults: readonly Fault[]): string {
  const lines = faults.map(({ path, message }) => `  ${path.join(".")}: ${message}`);
  return `Pulumi.${stack}.yaml is invalid; nothing was changed:\n${lines.join("\n")}\nEvery key is described in docs/configuration.md.`;
}
