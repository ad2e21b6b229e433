import { z } from "zod";
import { OPENING } from "../quadlet/opening.ts";
import { SIZE } from "../quadlet/pod.ts";
import { envFile, quadlet, quadletWord } from "../render/grammars.ts";
import { port, releaseName, settingOf, writtenBy } from "../schema/scalars.ts";
import { ports } from "./ports.ts";

export const containerName = releaseName.refine((name) => !/(^|-)(pod|network)$/.test(name), {
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

export const variable = z.string().regex(/^[A-Za-z_][A-Za-z0-9_.]*$/, {
  error: ({ input }) => `expected the name of a variable, got ${JSON.stringify(input)}`,
});
export const secretName = z.string().regex(/^\w[\w.-]{0,62}$/, {
  error: ({ input }) => `expected a file name of letters, digits, _, . and -, got ${JSON.stringify(input)}`,
});
/** Why a text is not that of a file; undefined if it is. The reason does not contain it: it may be secret. */
export function unwritable(text: string): string | undefined {
  if (text.isWellFormed() && !text.includes("\0")) return undefined;
  const reason = text.isWellFormed() ? "contains a NUL character, so it is not text" : "is not valid Unicode";
  return `${reason}: put a binary file into the image or a volume, or encode it, such as with base64`;
}

/** The content of a file. */
export const content = (message: string) =>
  z.string({ error: message }).superRefine((text, context) => {
    const fault = unwritable(text);
    if (fault) context.addIssue({ code: "custom", message: fault });
  });
const inContainer = (what: string) =>
  z.string().regex(/^(\/[\w.-]*[\w-][\w.-]*)+$/, {
    error: ({ input }) => `expected ${what}, got ${JSON.stringify(input)}`,
  });
const containerPath = inContainer("a folder in the container such as /var/lib/grafana");
const containerFilePath = inContainer("a file in the container such as /etc/grafana/grafana.ini");

/** Directories of the host with a key of their own, or with files that gatehouse writes. */
const RESERVED = [
  [/^\/var\/lib\/apps(\/|$)/, "is a directory of apps: use the name of the directory without its path"],
  [/^\/var\/lib\/gatehouse(\/|$)/, "contains gatehouse's own state"],
  [/^\/dev(\/|$)/, "contains devices, which are no volumes: use the key AddDevice of quadlet"],
] as const;
const hostPath = z
  .string()
  .regex(/^(\/[\w.@+-]*[\w@+-][\w.@+-]*)+$/, {
    error: ({ input }) =>
      `expected a directory or file of the host such as /mnt/photos, without spaces, . and .., got ${JSON.stringify(input)}`,
  })
  .superRefine((path, context) => {
    for (const [pattern, message] of RESERVED)
      if (pattern.test(path)) context.addIssue({ code: "custom", message: `${path} ${message}` });
  });
const volume = z.union(
  [
    releaseName,
    z
      .strictObject({ host: hostPath, readOnly: z.boolean().default(false), backup: z.boolean().default(false) })
      .refine(({ host, readOnly }) => readOnly || !/^\/(proc|sys)(\/|$)/.test(host), {
        error: "is a file system of the kernel: set readOnly",
      }),
  ],
  {
    error: ({ input }) =>
      `expected the name of a directory such as data, or { host: "/mnt/photos" }, got ${JSON.stringify(input)}`,
  },
);
export type Volume = z.output<typeof volume>;
/** A directory or file of the operator. */
export type HostVolume = Exclude<Volume, string>;
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

/** Keys of a [Container] section that open nothing: neither of the host, nor to the network, nor of other accounts. */
const CLOSED = [
  "AddHost",
  "Annotation",
  "DNS",
  "DNSOption",
  "DNSSearch",
  "Entrypoint",
  "HostName",
  "Label",
  "LogDriver",
  "LogOpt",
  "PidsLimit",
  "ReadOnly",
  "ReadOnlyTmpfs",
  "RunInit",
  "StopSignal",
  "StopTimeout",
  "Sysctl",
  "Timezone",
  "Tmpfs",
  "Ulimit",
  "WorkingDir",
];
const KEYS = [...CLOSED, ...Object.keys(OPENING)].sort();

/** One container or job, without its secrets. */
export const container = z.strictObject({
  image: image.meta({
    description: "Image with its registry and a version or a digest; `latest` is refused.",
    examples: ["docker.io/grafana/grafana:12.3.0"],
  }),
  command: z
    .array(word.superRefine(writtenBy(quadletWord)))
    .default([])
    .meta({
      description: "Arguments for the image's entry point. Without it, the image's own.",
      examples: [["serve", "--verbose"]],
    }),
  environment: z
    .record(variable, settingOf(envFile))
    .default({})
    .meta({ description: "Environment variables, not secret.", examples: [{ GF_DATABASE_HOST: "/run/postgresql" }] }),
  files: z
    .record(containerFilePath, content("expected text"))
    .default({})
    .meta({
      description:
        "Configuration files, not secret, by path in the container. Only the app can read them. A change is shown line by line in a preview, and restarts the app.",
      examples: [{ "/etc/wiki.conf": "mode = plain\n" }],
    }),
  volumes: z
    .record(containerPath, volume)
    .default({})
    .meta({
      description:
        "Directories in the container, each with the name of its directory below /var/lib/apps/APP. Containers that use the same name share the directory. `{ host }` instead of a name is a directory or file of the host, which must exist: gatehouse never changes its owner, its mode or its contents, the container waits until it is mounted, and only with `backup` is it in the backup. It is refused if another account than root could replace it with a link.",
      examples: [{ "/var/lib/grafana": "data", "/photos": { host: "/mnt/photos", readOnly: true } }],
    }),
  port: port.optional().meta({
    description: "Port on which it listens inside the container, on all addresses. Without it, it does not listen.",
    examples: [3000],
  }),
  publish: port.optional().meta({
    description: "Port on the host's 127.0.0.1 at which it is published. Without it, the same number as `port`.",
    examples: [9500],
  }),
  ports: ports.meta({
    description:
      "Further ports, each `port` inside the container, `publish` on the host (the same number by default), `protocol` tcp or udp, and `address`: by default 127.0.0.1, or an IPv4 address of the host, or `*` for all of them. Other machines reach the last two; the plan says so, and the policy pack refuses them unless `policy.ports` contains them.",
    examples: [[{ port: 22, publish: 2222, address: "*" }]],
  }),
  health: z
    .union(
      [
        z.array(word).min(1).superRefine(writtenBy(asJson)),
        z.strictObject({ http: path }),
        z.strictObject({ tcp: port }),
      ],
      {
        error: ({ input }) =>
          `expected a command as a list of words, { http: "/path" } or { tcp: 22 }, got ${JSON.stringify(input)}`,
      },
    )
    .optional()
    .meta({
      description:
        "Health check: a command that succeeds in the container, a path that returns 2xx at the published `port`, or a port inside the container that is published and accepts connections. Without it, the container is healthy while it runs.",
      examples: [{ http: "/api/health" }],
    }),
  quadlet: z
    .record(
      z.string().refine((key) => KEYS.includes(key), {
        error: ({ input }) => `expected one of ${KEYS.join(", ")}, got ${JSON.stringify(input)}`,
      }),
      z.union([settingOf(quadlet), z.array(settingOf(quadlet))], {
        error: ({ input }) => `expected a text, a number, a boolean or a list of such, got ${JSON.stringify(input)}`,
      }),
    )
    .default({})
    .meta({
      description: `Keys of a Quadlet's [Container] section; a list for a key that occurs several times. Podman checks them before they go live. Allowed are ${KEYS.join(", ")}. AddHost, DNS, DNSOption, DNSSearch, HostName and a Sysctl of the network, of containers that share a pod, are set on the pod. AddCapability and AddDevice open something to the container, and the plan names it.`,
      examples: [
        { ReadOnly: true, Tmpfs: ["/tmp:size=64m"], Ulimit: "nofile=65536:65536", AddHost: ["mail.lan:192.0.2.7"] },
      ],
    }),
  memory: z
    .string()
    .regex(SIZE, { error: ({ input }) => `expected a size such as 512m or 1g, got ${JSON.stringify(input)}` })
    .optional()
    .meta({
      description:
        "Memory limit, above which the kernel ends processes of the container. Without it, the host's memory.",
      examples: ["512m"],
    }),
  cpus: z
    .number({ error: ({ input }) => `expected a number of processors such as 1.5, got ${JSON.stringify(input)}` })
    .min(0.01, { error: ({ input }) => `expected at least 0.01 processors, got ${JSON.stringify(input)}` })
    .optional()
    .meta({ description: "Processors that it may use at once. Without it, all.", examples: [1.5] }),
  schedule: schedule.optional().meta({
    description:
      "Makes the container a job: a timer starts it at a systemd calendar expression, up to a minute later, and it runs to its end. A run that was missed while the host was down runs later. A job has no `port`, `publish` or `health`. Without it, the container runs permanently.",
    examples: ["Mon..Fri 03:30"],
  }),
});
