import { z } from "zod";
import { settingsOf } from "../host/settings.ts";
import { SIZE } from "../quadlet/pod.ts";
import { envFile, quadlet, quadletWord } from "../render/grammars.ts";
import { type Path, withClashes } from "../schema/clashes.ts";
import { type Fault, faultsIn } from "../schema/faults.ts";
import { PLAIN } from "../schema/partly.ts";
import { connections, deadline, domain, port, releaseName, settingOf, writtenBy } from "../schema/scalars.ts";
import { isOutput, isTable } from "../sdk/outputs.ts";
import { directives } from "../site/schema.ts";
import { PARTS, type Part } from "./names.ts";

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

const containerName = releaseName.refine((name) => !/(^|-)(pod|network)$/.test(name), {
  error: ({ input }) => `${input} is the name of a unit that Podman generates; choose another name`,
});

const REGISTRY = /^([a-z0-9-]+(\.[a-z0-9-]+)+|localhost|[a-z0-9-]+(?=:))(:\d+)?\//;
const REFERENCE = /^[a-z0-9.-]+(:\d+)?(\/[a-z0-9._-]+)+(:\w[\w.-]{0,127})?(@sha256:[0-9a-f]{64})?$/;
const image = z
  .string()
  .refine((reference) => REFERENCE.test(reference) && REGISTRY.test(reference), {
    error: ({ input }) =>
      `expected an image with its registry such as docker.io/grafana/grafana:12.3.0, got ${JSON.stringify(input)}`,
  })
  .refine((reference) => /@sha256:/.test(reference) || !/(\/[^:]*|:latest)$/.test(reference), {
    error: ({ input }) => `${input} is a moving tag: use a version or a digest`,
  });

const variable = z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/, {
  error: ({ input }) => `expected the name of a variable, got ${JSON.stringify(input)}`,
});
const secretName = z.string().regex(/^\w[\w.-]{0,62}$/, {
  error: ({ input }) => `expected a file name of letters, digits, _, . and -, got ${JSON.stringify(input)}`,
});
/** Why a text is not that of a file; undefined if it is. The reason does not contain it: it may be secret. */
export function unwritable(text: string): string | undefined {
  if (text.isWellFormed() && !text.includes("\0")) return undefined;
  const reason = text.isWellFormed() ? "contains a NUL character, so it is not text" : "is not valid Unicode";
  return `${reason}: put a binary file into the image or a volume, or encode it, such as with base64`;
}

/** The content of a file. */
const content = (message: string) =>
  z.string({ error: message }).superRefine((text, context) => {
    const fault = unwritable(text);
    if (fault) context.addIssue({ code: "custom", message: fault });
  });
const secret = content("expected text, or an Output with a text");
const inContainer = (what: string) =>
  z.string().regex(/^(\/[\w.-]*[\w-][\w.-]*)+$/, {
    error: ({ input }) => `expected ${what}, got ${JSON.stringify(input)}`,
  });
const containerPath = inContainer("a folder in the container such as /var/lib/grafana");
const containerFilePath = inContainer("a file in the container such as /etc/grafana/grafana.ini");
const word = z.string().min(1, { error: "expected a word, got an empty string", abort: true });
const path = z.string().regex(/^\/[\x21-\x7e]*$/, {
  error: ({ input }) => `expected a path such as /healthz, got ${JSON.stringify(input)}`,
});

/** Rejects lines of a crontab, which have more words. systemd on the host validates the rest. */
const schedule = z.string().regex(/^[\w*.,:/~+-]+( [\w*.,:/~+-]+){0,3}$/, {
  error: ({ input }) =>
    `expected a systemd calendar expression such as daily, Mon..Fri 03:30 or *-*-01 04:00:00, got ${JSON.stringify(input)}`,
});

// A JSON list, which Podman runs without a shell.
const asJson = (words: string[]): string => quadlet(JSON.stringify(words));

const container = z.strictObject({
  image,
  command: z.array(word.superRefine(writtenBy(quadletWord))).default([]),
  environment: z.record(variable, settingOf(envFile)).default({}),
  files: z.record(containerFilePath, content("expected text")).default({}),
  secrets: z.record(secretName, secret).default({}).meta(PLAIN),
  volumes: z.record(containerPath, releaseName).default({}),
  port: port.min(1024, { error: ({ input }) => `${input} is a privileged port: use a port from 1024` }).optional(),
  publish: port.optional(),
  health: z
    .union([z.array(word).min(1).superRefine(writtenBy(asJson)), z.strictObject({ http: path })], {
      error: ({ input }) => `expected a command as a list of words, or { http: "/path" }, got ${JSON.stringify(input)}`,
    })
    .optional(),
  schedule: schedule.optional(),
});

const settings = z.strictObject({
  containers: z.record(containerName, container.meta(PLAIN)).default({}).meta(PLAIN),
  database: releaseName.optional(),
  connections: connections.optional(),
  valkey: z
    .strictObject({
      maxmemory: z
        .string()
        .regex(/^[1-9]\d*(kb|mb|gb)$/, {
          error: ({ input }) => `expected a size such as 64mb, got ${JSON.stringify(input)}`,
        })
        .optional(),
    })
    .optional(),
  site: z
    .strictObject({
      domain,
      port: port.optional(),
      files: releaseName.optional(),
      directives,
      tls: z.enum(["acme", "internal"]).default("acme"),
    })
    .optional(),
  shmSize: z
    .string()
    .regex(SIZE, {
      error: ({ input }) => `expected a size such as 512m or 1g, got ${JSON.stringify(input)}`,
    })
    .optional(),
  deadline: deadline.default(120),
  purge: z.boolean().default(false),
});
export type AppSettings = z.output<typeof settings>;
export type ContainerSettings = AppSettings["containers"][string];

/** The port on the host's loopback at which a container is published; undefined if it does not listen. */
export const published = ({ port, publish = port }: Pick<ContainerSettings, "port" | "publish">) => publish;

/** Whether a timer starts the container, which runs to its end instead of permanently. */
export const isJob = ({ schedule }: Pick<ContainerSettings, "schedule">) => schedule !== undefined;

/** The parts of an app besides its main release. */
export const partsOf = ({ containers, database, valkey }: AppSettings): Part[] => {
  const asked = {
    secrets: Object.values(containers).some(({ secrets }) => Object.keys(secrets).length > 0),
    postgres: database !== undefined,
    valkey: valkey !== undefined,
  };
  return PARTS.filter((part) => asked[part]);
};

function* clashes({ containers, site }: AppSettings, invalid: readonly Path[]): Generator<Fault> {
  const entries = Object.entries(containers);
  if (entries.length === 0 && site?.files === undefined)
    yield { path: ["containers"], message: "an app needs at least one container, or a site with files" };
  for (const [name, job] of entries.filter(([, container]) => isJob(container)))
    for (const key of ["port", "publish", "health"] as const)
      if (job[key] !== undefined)
        yield {
          path: ["containers", name, key],
          message: "is not allowed together with schedule: a job has no port and no health check",
        };
  for (const [what, key, of] of [
    ["already publishes", "publish", published],
    ["already listens on", "port", ({ port }: ContainerSettings) => port],
  ] as const) {
    const holders = new Map<number, string>();
    for (const [name, container] of entries) {
      const number = of(container);
      if (number === undefined) continue;
      const holder = holders.get(number);
      if (holder) yield { path: ["containers", name, key], message: `${holder} ${what} ${number}` };
      holders.set(number, holder ?? name);
    }
  }
  // Podman would create a mount point for the file in the volume and leave it there.
  for (const [name, { files, volumes }] of entries)
    for (const file of Object.keys(files))
      for (const volume of Object.keys(volumes).filter((path) => `${file}/`.startsWith(`${path}/`)))
        yield { path: ["containers", name, "files", file], message: `is inside the volume ${volume}` };
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
  const ports = entries.flatMap(([, container]) => published(container) ?? []);
  if (site && (site.port === undefined) === (site.files === undefined))
    yield { path: ["site"], message: `expected exactly one of port and files, got ${site.port ? "both" : "neither"}` };
  else if (site?.port !== undefined && !hidesPorts(invalid) && !ports.includes(site.port))
    yield {
      path: ["site", "port"],
      message: `no container publishes ${site.port}; published are ${ports.join(", ") || "none"}`,
    };
}

/** Whether the ports of some container are not known, since they or its name are invalid. */
const hidesPorts = (invalid: readonly Path[]): boolean =>
  invalid.some(([table, , key]) => table === "containers" && [undefined, "port", "publish"].includes(key as string));

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
  const container = (one: unknown) =>
    isTable(one) && "secrets" in one ? { ...one, secrets: hidden(one.secrets, secret) } : one;
  return "containers" in given ? { ...given, containers: hidden(given.containers, container) } : given;
}
