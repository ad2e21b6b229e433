import { z } from "zod";
import { mountFaults } from "../quadlet/mounts.ts";
import { misplaced } from "../quadlet/pod.ts";
import { quadlet } from "../render/grammars.ts";
import { withClashes } from "../schema/clashes.ts";
import { PLAIN } from "../schema/partly.ts";
import { cidr, deadline, digest, domain, port, rotation, settingOf, versionOf } from "../schema/scalars.ts";
import { directives } from "../site/schema.ts";
import { environmentFaults, value, variable } from "./variables.ts";
import { isSupported, VERSION } from "./version.ts";

/**
 * Keys of a [Container] section that the platform sets, or that would change the mapping of processes to the host's
 * IDs.
 */
const OWN_CONTAINER =
  /^(Pod|ContainerName|ServiceName|Image|Pull|Exec|Entrypoint|User|Group|GroupAdd|UserNS|(Sub)?[UG]IDMap|Remap.*|Network|PublishPort|Environment.*|Notify|StartWithPod|Health.*|NoNewPrivileges|(Add|Drop)Capability|SecurityLabel.*|AutoUpdate|StopTimeout|PodmanArgs|GlobalArgs|ContainersConfModule)$/;

const settings = z.strictObject({
  domain: domain.meta({
    description: "Public domain name of authentik, without scheme.",
    examples: ["auth.example.org"],
  }),
  version: z
    .string()
    .regex(VERSION, {
      error: ({ input }) => `expected an exact version such as 2026.8.3, got ${JSON.stringify(input)}`,
    })
    .refine((version) => !VERSION.test(version) || isSupported(version), {
      error: ({ input }) => `${input} is too old: the oldest version that the platform can run is 2025.8`,
    })
    .meta({
      description: "Exact version, which is also the tag of the image. Versions up to 2025.8 use Valkey.",
      examples: ["2026.8.3"],
    }),
  allowDowngrade: z.boolean().default(false).meta({
    description:
      "Whether `version` may be lower than the one on the host, by one series at most. authentik does not support this: an older version may not start with the migrated database, or lose data. Without it, such an `up` is refused.",
  }),
  image: z
    .string()
    .regex(/^[a-z0-9.-]+(:\d+)?(\/[a-z0-9._-]+)+$/, {
      error: ({ input }) =>
        `expected an image without tag such as ghcr.io/goauthentik/server, got ${JSON.stringify(input)}`,
    })
    .default("ghcr.io/goauthentik/server")
    .meta({ description: "Image, without the tag." }),
  digest: digest.optional().meta({
    description: "Digest that the image must have. Without it, only the tag is used.",
    examples: [`sha256:${"0".repeat(64)}`],
  }),
  rotation: rotation.meta({ description: "Increase it by one to generate a new secret key, which ends all sessions." }),
  valkey: z
    .boolean()
    .default(true)
    .meta({
      ...PLAIN,
      description: "Whether the pod gets Valkey's client group and socket. Versions up to 2025.8 need them.",
    }),
  port: port.default(9000).meta({ description: "Port on the loopback interface of the host, for Caddy." }),
  network: z
    .strictObject({
      subnets: z
        .array(cidr)
        .default([])
        .refine((subnets) => subnets.length === 0 || subnets.some((subnet) => versionOf(subnet) !== 6), {
          error: ({ input }) =>
            `${(input as string[]).join(", ")}: an IPv4 network is needed too, since Caddy reaches authentik at 127.0.0.1`,
        })
        .meta({
          description:
            "Subnets of the pod network: one for IPv4, and optionally one for IPv6. Without it, Podman chooses a free subnet.",
          examples: [["10.50.0.0/24", "fd00:50::/64"]],
        }),
    })
    .default({ subnets: [] })
    .meta({ description: "Network that only the authentik pod uses." }),
  admin: z
    .strictObject({
      email: z
        .string()
        .regex(/^[A-Za-z0-9][\w.+-]*@([A-Za-z0-9-]+\.)+[A-Za-z0-9-]+$/, {
          error: ({ input }) => `expected an e-mail address, got ${JSON.stringify(input)}`,
        })
        .optional()
        .meta({
          description:
            "E-mail address of the first administrator, akadmin. Without it, authentik uses its own example address.",
          examples: ["operator@example.org"],
        }),
    })
    .default({})
    .meta({
      description:
        "First administrator of a new authentik. The password is generated (output `administrator`) unless authentikSecrets contains one.",
      examples: [{ email: "operator@example.org" }],
    }),
  directives: directives.meta({
    description: "Additional Caddyfile lines for the site of authentik, such as your own certificate.",
    examples: ["tls /etc/caddy/auth.pem /etc/caddy/auth.key"],
  }),
  deadline: deadline
    .default(900)
    .meta({ description: "Seconds from a start until authentik must be ready. The first start runs all migrations." }),
  environment: z
    .record(variable, value)
    .default({})
    .meta({
      description:
        "Additional environment variables for server and worker, not secret: settings of authentik that the platform does not set itself, and SSL_CERT_FILE, SSL_CERT_DIR, REQUESTS_CA_BUNDLE, CURL_CA_BUNDLE, HTTP_PROXY, HTTPS_PROXY, ALL_PROXY, NO_PROXY, TZ.",
      examples: [{ AUTHENTIK_EMAIL__HOST: "smtp.example.org", TZ: "Europe/Berlin" }],
    }),
  container: z
    .record(
      z
        .string()
        .regex(/^[A-Z][A-Za-z0-9]+$/, {
          error: ({ input }) =>
            `expected a key of a Quadlet [Container] section such as LogDriver, got ${JSON.stringify(input)}`,
        })
        .refine((key) => !OWN_CONTAINER.test(key), {
          error: ({ input }) => `${input} is set by the platform; remove it`,
        }),
      z.union([settingOf(quadlet), z.array(settingOf(quadlet))], {
        error: ({ input }) => `expected a text, a number, a boolean or a list of such, got ${JSON.stringify(input)}`,
      }),
    )
    .default({})
    .meta({
      description:
        "Additional keys for the [Container] section of both Quadlets; use a list for a key that occurs several times. Keys that server and worker share are set on their pod: AddHost, DNS, DNSOption, DNSSearch, HostName, IP, IP6 and ShmSize (the size of /dev/shm, 512m by default). Podman checks the keys before they go live.",
      examples: [
        {
          LogDriver: "journald",
          AddHost: ["mail.lan:192.0.2.7", "ldap.lan:192.0.2.8"],
          Volume: ["/srv/authentik/blueprints:/blueprints/own:ro", "/etc/ssl/certs:/etc/ssl/certs:ro"],
        },
      ],
    }),
});

/** Directories that the platform mounts, in any version of authentik. */
const OWN_MOUNTS = [
  "/data",
  "/media",
  "/certs",
  "/templates",
  "/run/secrets/authentik",
  "/run/postgresql",
  "/run/valkey",
];

/** Configuration of authentik. */
export const authentikSchema = withClashes(settings, function* ({ container, environment, version }) {
  for (const { key, message } of [...misplaced(container), ...mountFaults(container, OWN_MOUNTS)])
    yield { path: ["container", key], message };
  if (VERSION.test(version))
    for (const { name, message } of environmentFaults(environment, version))
      yield { path: ["environment", name], message };
});
export type AuthentikSettings = z.output<typeof authentikSchema>;
