import { z } from "zod";
import { withClashes } from "../schema/clashes.ts";
import { PLAIN } from "../schema/partly.ts";
import { domain, releaseName } from "../schema/scalars.ts";
import { directives } from "../site/schema.ts";

const LOCAL = /^(127\.0\.0\.1|\[::1\]|localhost):([1-9]\d{0,4})$/;
const backend = z.string().refine((address) => Number(LOCAL.exec(address)?.[2] ?? Infinity) <= 65535, {
  error: ({ input }) =>
    `expected a plain-HTTP address on this host such as 127.0.0.1:8080, got ${JSON.stringify(input)}`,
});

/** Configuration of Caddy. */
const settings = z.strictObject({
  tls: z.enum(["acme", "internal"]).default("acme").meta({
    description:
      "acme: public certificates. internal: certificates from Caddy's own authority, for a host without a public name.",
  }),
  email: z
    .email({ error: ({ input }) => `expected an e-mail address, got ${JSON.stringify(input)}` })
    .optional()
    .meta({
      description:
        "E-mail address to which the certificate authority sends warnings. Without it, no warnings are sent.",
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
        "ACME directory URL of another authority for `acme`: for example your own, which the host must trust, or the staging directory of a public one. Without it, Caddy uses its default public authorities.",
      examples: ["https://ca.example.org/acme/acme/directory"],
    }),
  sites: z
    .record(
      releaseName,
      z
        .strictObject({
          domain: domain.meta({ description: "Public domain name of the site.", examples: ["grafana.example.org"] }),
          backend: backend.meta({
            description: "Address on this host at which the site is served over plain HTTP.",
            examples: ["127.0.0.1:3000"],
          }),
          directives: directives.meta({
            description:
              "Additional Caddyfile lines for the site, which cannot open another site. Caddy checks them before they go live.",
          }),
        })
        .meta(PLAIN),
    )
    .default({})
    .meta({ ...PLAIN, description: "Sites in addition to that of authentik." }),
});
export const caddySchema = withClashes(settings, function* ({ sites }) {
  const holders = new Map<string, string>();
  for (const [name, { domain }] of Object.entries(sites)) {
    if (domain === undefined) continue;
    const holder = holders.get(domain);
    if (holder)
      yield { path: ["sites", name, "domain"], message: `${domain} is already the domain of the site ${holder}` };
    holders.set(domain, holder ?? name);
  }
});
export type CaddySettings = z.output<typeof caddySchema>;
