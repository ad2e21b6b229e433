import { z } from "zod";
import { settingsOf } from "../host/settings.ts";
import { mountFaults } from "../quadlet/mounts.ts";
import { misplaced, SIZE } from "../quadlet/pod.ts";
import { type Path, withClashes } from "../schema/clashes.ts";
import { type Fault, faultsIn } from "../schema/faults.ts";
import { PLAIN } from "../schema/partly.ts";
import { connections, deadline, domain, port, releaseName } from "../schema/scalars.ts";
import { isOutput, isTable } from "../sdk/outputs.ts";
import { directives } from "../site/schema.ts";
import { container, containerName, content, secretName, unwritable, variable } from "./container.ts";
import { PARTS, type Part } from "./names.ts";
import { ALL, collide, FIRST_UNPRIVILEGED, LOOPBACK, listening, publishedPorts } from "./ports.ts";

/** Accounts of a distribution or the platform. An app with such a name would run as another account on some host. */
const TAKEN =
  /^(root|daemon|bin|sys|sync|games|man|lp|mail|news|uucp|proxy|www-data|backup|list|irc|nobody|messagebus|dbus|ftp|http|alpm|tss|uuidd|sshd|polkitd|systemd-.*|postgres|valkey|caddy|authentik|gatehouse)$/;

/** Name of an account, a role and a database. The account of its Valkey is seven characters longer. */
export const appName = releaseName
  .max(24, { error: ({ input }) => `expected at most 24 characters, got ${JSON.stringify(input)}` })
  .refine((name) => !TAKEN.test(name), {
    error: ({ input }) => `${input} is an account of the system or the platform; choose another name`,
  })
  .refine((name) => !PARTS.some((part) => name.endsWith(`-${part}`)), {
    error: ({ input }) =>
      `${input} has an ending that is reserved for the parts of an app (${PARTS.join(", ")}); choose another name`,
  });

const secret = content("expected text, or an Output with a text");

export const database = releaseName.optional().meta({
  description: "Name of the database, which the role with the app's name owns. Without it, the app's name.",
  examples: ["boards"],
});
export const connectionLimit = connections.optional().meta({
  description: "Maximum number of concurrent connections to PostgreSQL. Without it, half of max_connections.",
  examples: [20],
});
export const site = z.strictObject({
  domain: domain.meta({ description: "Public domain name of the app.", examples: ["grafana.example.org"] }),
  port: port.optional().meta({
    description: "One of the published ports, to which Caddy forwards requests. Set exactly one of `port` and `files`.",
    examples: [3000],
  }),
  files: releaseName.optional().meta({
    description:
      "Directory below /var/lib/apps/APP that is served as static files. The app writes it, and its files are public, except names that begin with a dot, symlinks and directory listings. Containers may use it as a volume.",
    examples: ["public"],
  }),
  directives: directives.meta({
    description: "Additional Caddyfile lines for the site; lines that close its block or open another are refused.",
  }),
});
export const issuer = z.enum(["acme", "internal"]);

/** What an app in the configuration and one in a program have in common. */
export const shared = {
  valkey: z
    .strictObject({
      maxmemory: z
        .string()
        .regex(/^[1-9]\d*(kb|mb|gb)$/, {
          error: ({ input }) => `expected a size such as 64mb, got ${JSON.stringify(input)}`,
        })
        .optional()
        .meta({
          description: "Memory limit, above which writes fail. Without it, no limit except the host's memory.",
          examples: ["64mb"],
        }),
    })
    .optional()
    .meta({
      description: "A Valkey for the app only, at /run/valkey-APP/valkey.sock, without a password.",
      examples: [{ maxmemory: "64mb" }],
    }),
  shmSize: z
    .string()
    .regex(SIZE, {
      error: ({ input }) => `expected a size such as 512m or 1g, got ${JSON.stringify(input)}`,
    })
    .optional()
    .meta({
      description:
        "Size of /dev/shm in each container and job. It is a limit: memory is used only as files are written. Browsers and databases in containers need more than Podman's 64 MiB, which apply without it.",
      examples: ["1g"],
    }),
  deadline: deadline
    .default(120)
    .meta({ description: "Time until all parts must be healthy after a start.", unit: "seconds" }),
  purge: z.boolean().default(false).meta({
    description:
      "Whether deleting the app also deletes its data: database and role, volumes, Valkey data and secrets, each after a copy has been written to /var/backups/gatehouse. The same applies to the data of a part that is removed, such as `valkey`. Requires an `up` before the one that deletes.",
  }),
};

const settings = z.strictObject({
  containers: z
    .record(
      containerName,
      container
        .extend({
          secrets: z.record(secretName, secret).default({}).meta(PLAIN),
          secretEnvironment: z.record(variable, secret).default({}).meta(PLAIN),
        })
        .meta(PLAIN),
    )
    .default({})
    .meta(PLAIN),
  database,
  connections: connectionLimit,
  site: site.extend({ tls: issuer.default("acme") }).optional(),
  ...shared,
});
export type AppSettings = z.output<typeof settings>;
export type ContainerSettings = AppSettings["containers"][string];

/** The tables of secrets in a container: files, and variables. */
export const SECRET_KEYS = ["secrets", "secretEnvironment"] as const;
export type SecretKey = (typeof SECRET_KEYS)[number];

export const hasSecrets = (container: Partial<Record<SecretKey, object>>): boolean =>
  SECRET_KEYS.some((key) => Object.keys(container[key] ?? {}).length > 0);

interface Whole {
  containers: Record<string, Omit<ContainerSettings, SecretKey> & Record<SecretKey, Record<string, string>>>;
  site?: Pick<NonNullable<AppSettings["site"]>, "port" | "files"> | undefined;
}

/** The port on the host's loopback at which a container is published; undefined if it does not listen. */
export const published = ({ port, publish = port }: Pick<ContainerSettings, "port" | "publish">) => publish;

/** Whether a timer starts the container, which runs to its end instead of permanently. */
export const isJob = ({ schedule }: Pick<ContainerSettings, "schedule">) => schedule !== undefined;

/** The parts of an app besides its main release. */
export const partsOf = ({ containers, database, valkey }: AppSettings): Part[] => {
  const asked = {
    secrets: Object.values(containers).some(hasSecrets),
    postgres: database !== undefined,
    valkey: valkey !== undefined,
  };
  return PARTS.filter((part) => asked[part]);
};

export function* clashes({ containers, site }: Whole, invalid: readonly Path[]): Generator<Fault> {
  const entries = Object.entries(containers);
  if (entries.length === 0 && site?.files === undefined)
    yield { path: ["containers"], message: "an app needs at least one container, or a site with files" };
  for (const [name, job] of entries.filter(([, container]) => isJob(container)))
    for (const key of ["port", "publish", "ports", "health"] as const)
      if (key === "ports" ? job.ports.length > 0 : job[key] !== undefined)
        yield {
          path: ["containers", name, key],
          message: "is not allowed together with schedule: a job has no port and no health check",
        };
  yield* clashesOfPorts(entries);
  yield* savedTwice(entries);
  for (const [name, { environment, secretEnvironment }] of entries)
    for (const variable of Object.keys(secretEnvironment).filter((variable) => Object.hasOwn(environment, variable)))
      yield {
        path: ["containers", name, "secretEnvironment", variable],
        message: "is set in environment too; remove one",
      };
  for (const [name, { quadlet, volumes, files }] of entries) {
    const mounts = [...Object.keys(volumes), ...Object.keys(files), "/run/secrets", "/run/postgresql"];
    for (const { key, message } of [...misplaced(quadlet), ...mountFaults(quadlet, mounts)])
      yield { path: ["containers", name, "quadlet", key], message };
  }
  const members = entries.filter(([, container]) => !isJob(container));
  if (members.length > 1) yield* clashesInPod(Object.fromEntries(members));
  // Podman would create a mount point for the file in the volume and leave it there.
  for (const [name, { files, volumes }] of entries)
    for (const file of Object.keys(files))
      for (const volume of Object.keys(volumes).filter((path) => `${file}/`.startsWith(`${path}/`)))
        yield { path: ["containers", name, "files", file], message: `is inside the volume ${volume}` };
  for (const [name, { health, ...its }] of entries) {
    const tcp = publishedPorts(its).filter(({ protocol }) => protocol === "tcp");
    if (typeof health === "object" && "tcp" in health && !tcp.some(({ port }) => port === health.tcp))
      yield {
        path: ["containers", name, "health", "tcp"],
        message: `the container publishes no TCP port ${health.tcp}`,
      };
  }
  const shut = entries.filter(([, container]) => container.port === undefined && !isJob(container));
  for (const [name, { publish, health }] of shut) {
    if (publish !== undefined)
      yield {
        path: ["containers", name, "publish"],
        message: "has no effect without port, the port inside the container",
      };
    if (typeof health === "object" && "http" in health)
      yield { path: ["containers", name, "health"], message: "uses HTTP and requires port" };
  }
  // Caddy connects to the loopback interface.
  const ports = entries
    .flatMap(([, container]) => publishedPorts(container))
    .filter(({ protocol, address }) => protocol === "tcp" && [LOOPBACK, ALL].includes(address))
    .map(({ publish }) => publish);
  if (site && (site.port === undefined) === (site.files === undefined))
    yield { path: ["site"], message: `expected exactly one of port and files, got ${site.port ? "both" : "neither"}` };
  else if (site?.port !== undefined && !hidesPorts(invalid) && !ports.includes(site.port))
    yield {
      path: ["site", "port"],
      message: `no container publishes ${site.port}; published are ${ports.join(", ") || "none"}`,
    };
}

/** Folders of the host in the backup, of which one contains the other: a restore would replace both. */
function* savedTwice(entries: readonly [string, Whole["containers"][string]][]): Generator<Fault> {
  const saved = entries.flatMap(([name, { volumes }]) =>
    Object.entries(volumes).flatMap(([target, volume]) =>
      typeof volume !== "string" && volume.backup
        ? [{ host: volume.host, path: ["containers", name, "volumes", target] }]
        : [],
    ),
  );
  for (const { host, path } of saved) {
    const outer = saved.find((other) => other.host !== host && host.startsWith(`${other.host}/`));
    if (outer)
      yield {
        path: [...path, "backup"],
        message: `${outer.host}, which contains ${host}, is in the backup: remove one`,
      };
  }
}

/** Ports that two containers have in common, and those that the host has no use for. */
function* clashesOfPorts(entries: readonly [string, Whole["containers"][string]][]): Generator<Fault> {
  const all = entries.flatMap(([name, container]) => publishedPorts(container).map((port) => ({ name, ...port })));
  for (const [index, one] of all.entries()) {
    const at = (key: keyof typeof one.keys) => ["containers", one.name, ...one.keys[key]];
    const before = all.slice(0, index);
    const holder = before.find((other) => collide(one, other));
    if (holder) yield { path: at("publish"), message: `${holder.name} already publishes ${shown(one)}` };
    const listener = before.find(
      ({ name, port, protocol }) => name !== one.name && port === one.port && protocol === one.protocol,
    );
    if (listener) yield { path: at("port"), message: `${listener.name} already listens on ${one.port}` };
  }
  for (const [name, { port, publish }] of entries)
    if (port !== undefined && port < FIRST_UNPRIVILEGED && publish === undefined)
      yield {
        path: ["containers", name, "port"],
        message: `${port} is a port of the system on the host: set publish to another one, such as ${port + 8000}`,
      };
}

/** Only the number, if everything else is as usual. */
const shown = (one: Parameters<typeof listening>[0]): string =>
  listening(one) === `${LOOPBACK}:${one.publish}/tcp` ? String(one.publish) : listening(one);

/** Members of a pod share their host name: two of them cannot differ. */
function* clashesInPod(members: Readonly<Record<string, Pick<ContainerSettings, "quadlet">>>): Generator<Fault> {
  const [[first, other] = [], ...others] = Object.entries(members).flatMap(
    ([
      name,
      {
        quadlet: { HostName },
      },
    ]) => (HostName === undefined ? [] : [[name, HostName] as const]),
  );
  for (const [name, own] of others)
    if (own !== other)
      yield {
        path: ["containers", name, "quadlet", "HostName"],
        message: `is ${other} in the container ${first}, with which it shares a pod`,
      };
}

/** Whether the ports of some container are not known, since they or its name are invalid. */
const hidesPorts = (invalid: readonly Path[]): boolean =>
  invalid.some(
    ([table, , key]) => table === "containers" && [undefined, "port", "publish", "ports"].includes(key as string),
  );

export const appSchema = withClashes(settings, clashes);

/**
 * Validates an app's arguments and fills in the defaults.
 *
 * @throws pulumi.RunError with every fault and its path.
 */
export function appSettings<Given extends object>(name: string, given: Given) {
  const faults = () => faultsIn(z.object({ name: appName }), { name });
  return settingsOf("App", name, appSchema, withoutSecrets(given), { given: {}, faults });
}

/** With an empty text in place of each valid secret: all values in the settings may be shown. */
function withoutSecrets<Given extends { containers?: unknown }>(given: Given): Given {
  const hidden = (table: unknown, hide: (value: unknown) => unknown) =>
    isTable(table) ? Object.fromEntries(Object.entries(table).map(([key, value]) => [key, hide(value)])) : table;
  const isValid = (value: unknown) => typeof value === "string" && unwritable(value) === undefined;
  const secret = (value: unknown) => (isOutput(value) || isValid(value) ? "" : value);
  const isSecret = (key: string) => (SECRET_KEYS as readonly string[]).includes(key);
  const container = (one: unknown) =>
    isTable(one)
      ? Object.fromEntries(
          Object.entries(one).map(([key, value]) => [key, isSecret(key) ? hidden(value, secret) : value]),
        )
      : one;
  return "containers" in given ? { ...given, containers: hidden(given.containers, container) } : given;
}
