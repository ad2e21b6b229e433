// What a program in another repository imports as "gatehouse": the platform's contract, and what puts something of one's
// own on the same host. Services are not in it; they are one stack's.
export { App } from "../app/app.ts";
export type { AppArgs, ContainerArgs, PostgresFacts } from "../app/args.ts";
export { Account, type AccountArgs } from "../host/account.ts";
export type { Expectations } from "../host/agent.ts";
export type { Connection } from "../host/connection.ts";
export type { Facts } from "../host/facts.ts";
export { Group, type GroupArgs, type GroupHandle, usableGid } from "../host/group.ts";
export { Host, type HostArgs } from "../host/host.ts";
export { inspect } from "../host/inspect.ts";
export { legible } from "../host/legible.ts";
export { looking } from "../host/looking.ts";
export type { Check, Directory, File, Guard, Manifest, Probe, Step, Unit } from "../host/manifest.ts";
export { Packages, type PackagesArgs } from "../host/packages.ts";
export type { Platform as Distribution } from "../host/platforms/platform.ts";
export { platforms } from "../host/platforms/platforms.ts";
export { quiet } from "../host/quiet.ts";
export { Release, type ReleaseArgs } from "../host/release.ts";
export { type PlatformFacts, platformSchema, SCHEMA_VERSION } from "./contract.ts";
export { Platform } from "./platform.ts";
