import * as pulumi from "@pulumi/pulumi";
import * as random from "@pulumi/random";
import type { Host } from "../host/host.ts";
import type { Tls } from "../site/site.ts";
import { App } from "./app.ts";
import type { ContainerArgs, PostgresFacts } from "./args.ts";
import { kindsOf } from "./entry-secrets.ts";
import type { AppInput } from "./input.ts";

/** Values of the apps' configured secrets, by app and name. */
export type AppSecrets = Record<string, Record<string, pulumi.Input<string>>>;

/** The parts of a platform that its apps use. */
interface Platform {
  host: Host;
  postgres: PostgresFacts;
  /** For every app to wait for. */
  after: pulumi.Resource[];
  caddy: pulumi.Resource;
  tls: pulumi.Input<Tls>;
  secrets: AppSecrets;
}
type Entries = Record<string, AppInput>;

/** Declares the apps of a configuration. Each starts after what it uses of the platform. */
export function declaredApps(name: string, apps: Entries, platform: Platform, parent: pulumi.Resource) {
  const { host, postgres, after, caddy, tls, secrets } = platform;
  const declared = Object.entries(apps).map(([app, { containers = {}, rotation = 1, ...entry }]) => {
    const keepers = { rotation: pulumi.output(rotation).apply(String) };
    const password = (secret: string) =>
      new random.RandomPassword(`${name}-${app}-${secret}`, { length: 48, special: false, keepers }, { parent }).result;
    const values = Object.fromEntries(
      Object.entries(kindsOf(containers)).map(([secret, kind]) => [
        secret,
        kind === "generated" ? password(secret) : (secrets[app]?.[secret] as pulumi.Input<string>),
      ]),
    );
    const filled = Object.entries(containers).map(([container, its]): [string, ContainerArgs] => {
      const own = (names: object = {}) => Object.fromEntries(Object.keys(names).map((name) => [name, values[name]]));
      const { secrets, secretEnvironment, ...others } = its;
      return [
        container,
        { ...others, secrets: own(secrets), secretEnvironment: own(secretEnvironment) } as ContainerArgs,
      ];
    });
    const args = {
      ...entry,
      host,
      appName: app,
      containers: Object.fromEntries(filled),
      postgres: entry.postgres && { ...postgres, ...entry.postgres },
      site: entry.site && { tls, ...entry.site },
    };
    const dependsOn = [...after, ...(entry.site ? [caddy] : [])];
    return [app, new App(`${name}-${app}`, args, { parent, dependsOn })];
  });
  return Object.fromEntries(declared) as Record<string, App>;
}
