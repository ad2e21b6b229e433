import { z } from "zod";
import { misplaced } from "../quadlet/pod.ts";
import { cidr, deadline, digest, domain, port, rotation, setting, versionOf } from "../schema/scalars.ts";
import { directives } from "../site/schema.ts";
import { environmentFaults, value, variable } from "./variables.ts";
import { isSupported, VERSION } from "./version.ts";
import { mountFaults } from "./volumes.ts";

/**
 * Keys of a [Container] section that the platform sets, or that would change the mapping of processes to the host's
 * IDs.
 */
const OWN_CONTAINER =
  /^(Pod|ContainerName|ServiceName|Image|Pull|Exec|Entrypoint|User|Group|GroupAdd|UserNS|(Sub)?[UG]IDMap|Remap.*|Network|PublishPort|Environment.*|Notify|StartWithPod|Health.*|NoNewPrivileges|(Add|Drop)Capability|SecurityLabel.*|AutoUpdate|StopTimeout|PodmanArgs|GlobalArgs|ContainersConfModule)$/;

const settings = z.strictObject({
  domain: domain.meta({ description: "The public name of authentik, without scheme.", examples: ["auth.example.org"] }),
  version: z
    .string()
    .regex(VERSION, {
      error: ({ input }) => `expected an exact version such as 2026.8.3, got ${JSON.stringify(input)}`,
    })
    .refine((version) => !VERSION.test(version) || isSupported(version), {
      error: ({ input }) => `${input} is too old: the oldest version that the platform can run is 2025.8`,
    })
    .meta({
      description: "Exact version, which is the image's tag. Up to 2025.8 authentik uses Valkey.",
      examples: ["2026.8.3"],
    }),
  image: z
    .string()
    .regex(/^[a-z0-9.-]+(:\d+)?(\/[a-z0-9._-]+)+$/, {
      error: ({ input }) =>
        `expected an image without tag such as ghcr.io/goauthentik/server, got ${JSON.stringify(input)}`,
    })
    .default("ghcr.io/goauthentik/server")
    .meta({ description: "Image without its tag." }),
  digest: digest.optional().meta({
    description: "Digest that the image must have. Without it the tag alone decides.",
    examples: [`sha256:${"0".repeat(64)}`],
  }),
  rotation: rotation.meta({ description: "Raise it by one to make a new secret key, which ends all sessions." }),
  valkey: z
    .boolean()
    .default(true)
    .meta({ description: "Whether the pod gets Valkey's client group and socket. Versions up to 2025.8 need it." }),
  port: port.default(9000).meta({ description: "Port on the host's loopback, for Caddy." }),
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
            "Subnets of the pod's own network, one of IPv4 and at will one of IPv6. Without it Podman chooses one that is free.",
          examples: [["10.50.0.0/24", "fd00:50::/64"]],
        }),
    })
    .default({ subnets: [] })
    .meta({ description: "The network of authentik's pod, in which nobody else is." }),
  admin: z
    .strictObject({
      email: z
        .string()
        .regex(/^[A-Za-z0-9][\w.+-]*@([A-Za-z0-9-]+\.)+[A-Za-z0-9-]+$/, {
          error: ({ input }) => `expected an e-mail address, got ${JSON.stringify(input)}`,
        })
        .optional()
        .meta({
          description: "E-mail address of the first administrator, akadmin. Without it authentik's own example.",
          examples: ["operator@example.org"],
        }),
    })
    .default({})
    .meta({
      description:
        "The first administrator, of a new authentik. Its password is generated, output `administrator`, unless authentikSecrets gives one.",
      examples: [{ email: "operator@example.org" }],
    }),
  directives: directives.meta({
    description: "More lines of Caddyfile for authentik's site, such as a certificate of your own.",
    examples: ["tls /etc/caddy/auth.pem /etc/caddy/auth.key"],
  }),
  deadline: deadline
    .default(900)
    .meta({ description: "Seconds that a start may take until authentik is ready; a first one runs all migrations." }),
  environment: z
    .record(variable, value)
    .default({})
    .meta({
      description:
        "More variables for server and worker, not secret: settings of authentik that the platform does not decide, and SSL_CERT_FILE, SSL_CERT_DIR, REQUESTS_CA_BUNDLE, CURL_CA_BUNDLE, HTTP_PROXY, HTTPS_PROXY, ALL_PROXY, NO_PROXY, TZ.",
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
          error: ({ input }) => `${input} is decided by the platform; take it out`,
        }),
      z.union([setting, z.array(setting)], {
        error: ({ input }) => `expected a text, a number, a boolean or a list of such, got ${JSON.stringify(input)}`,
      }),
    )
    .superRefine((keys, context) => {
      for (const { key, message } of [...misplaced(keys), ...mountFaults(keys)])
        context.addIssue({ code: "custom", path: [key], message });
    })
    .default({})
    .meta({
      description:
        "More keys for the [Container] section of both Quadlets, a list for one that stands several times. What server and worker share goes to their pod: AddHost, DNS, DNSOption, DNSSearch, HostName, IP, IP6 and ShmSize, the size of /dev/shm, which is 512m otherwise. Podman checks them before they go live.",
      examples: [
        {
          LogDriver: "journald",
          AddHost: ["mail.lan:192.0.2.7", "ldap.lan:192.0.2.8"],
          Volume: ["/srv/authentik/blueprints:/blueprints/own:ro", "/etc/ssl/certs:/etc/ssl/certs:ro"],
        },
      ],
    }),
});

/** Configuration of authentik. */
export const authentikSchema = settings.superRefine(({ environment, version }, context) => {
  if (!VERSION.test(version)) return;
  for (const { name, message } of environmentFaults(environment, version))
    context.addIssue({ code: "custom", path: ["environment", name], message });
});
export type AuthentikSettings = z.output<typeof authentikSchema>;
