// Exports of "gatehouse": the components of a platform and of what runs beside it, and the contract with other stacks.

export type { Facts } from "../protocol/facts.ts";
export type { Check, Directory, File, Guard, Manifest, Probe, Step, Unit } from "../protocol/manifest.ts";
export { App } from "./app/app.ts";
export type { AppArgs, ContainerArgs, PostgresFacts } from "./app/args.ts";
export { Authentik, type AuthentikArgs } from "./authentik/authentik.ts";
export { Backup, type BackupArgs } from "./backup/backup.ts";
export { Caddy, type CaddyArgs, type SiteArgs } from "./caddy/caddy.ts";
export type { Expectations } from "./connection/agent.ts";
export type { Connection } from "./connection/connection.ts";
export { inspect } from "./connection/inspect.ts";
export { inspectionMode } from "./connection/inspection-mode.ts";
export type { Distribution } from "./distribution/distribution.ts";
export { platforms } from "./distribution/distributions.ts";
export type { GatehouseArgs } from "./gatehouse/args.ts";
export { Gatehouse } from "./gatehouse/gatehouse.ts";
export { Account, type AccountArgs } from "./host/account.ts";
export { Group, type GroupArgs, type GroupHandle, usableGid } from "./host/group.ts";
export { Host, type HostArgs } from "./host/host.ts";
export { Packages, type PackagesArgs } from "./host/packages.ts";
export { Release, type ReleaseArgs } from "./host/release.ts";
export { Platform } from "./platform/consumer.ts";
export { type PlatformFacts, platformSchema, SCHEMA_VERSION } from "./platform/contract.ts";
export { Postgres, type PostgresArgs } from "./postgres/postgres.ts";
export { Registries, type RegistriesArgs } from "./registries/registries.ts";
export { legible } from "./sdk/legible.ts";
export { quiet } from "./sdk/quiet.ts";
export { Valkey, type ValkeyArgs, type ValkeyLogin } from "./valkey/valkey.ts";
