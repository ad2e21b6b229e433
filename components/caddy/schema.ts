import { z } from "zod";
import { domain, releaseName } from "../schema/scalars.ts";
import { directives } from "../site/schema.ts";

const LOCAL = /^(127\.0\.0\.1|\[::1\]|localhost):([1-9]\d{0,4})$/;
const backend = z.string().refine((address) => Number(LOCAL.exec(address)?.[2] ?? Infinity) <= 65535, {
  error: ({ input }) =>
    `expected a plain-HTTP address on this host such as 127.0.0.1:8080, got ${JSON.stringify(input)}`,
});

/** Configuration of Caddy. */
export const caddySchema = z.strictObject({
  tls: z.enum(["acme", "internal"]).default("acme").meta({
    description: "acme: public certificates. internal: Caddy's own authority, where there is no public name.",
  }),
  email: z
    .email({ error: ({ input }) => `expected an e-mail address, got ${JSON.stringify(input)}` })
    .optional()
    .meta({
      description: "Where the certificate authority sends warnings. Without it none are sent.",
      examples: ["operator@example.org"],
    }),
  acmeDirectory: z
    .string()
    .regex(/^https:\/\/[^\s/"`{}]+\/[^\s"`{}]*$/, {
      error: ({ input }) => `expected the https address of an ACME directory, got ${JSON.stringify(input)}`,
    })
    .optional()
    .meta({
      description:
        "The directory of another authority that signs with `acme`, such as one of your own, which the host has to trust, or a public one's for trials. Without it Caddy asks the public ones that it knows.",
      examples: ["https://ca.example.org/acme/acme/directory"],
    }),
  sites: z
    .record(
      releaseName,
      z.strictObject({
        domain: domain.meta({ description: "The site's public name.", examples: ["grafana.example.org"] }),
        backend: backend.meta({
          description: "Where the site is served on this host, in plain HTTP.",
          examples: ["127.0.0.1:3000"],
        }),
        directives: directives.meta({
          description:
            "More lines of Caddyfile for the site, in which no other is opened; Caddy checks them before they go live.",
        }),
      }),
    )
    .default({})
    .meta({ description: "Further sites besides authentik's." }),
});
export type CaddySettings = z.output<typeof caddySchema>;
