// Generated from the schema by `npm run schema`.
import type { Input } from "@pulumi/pulumi";

/** Settings as they are given: what has a default may be left out. */
export interface CaddyInput {
  /**
   * acme: public certificates. internal: certificates from Caddy's own authority, for a host without a public name.
   * @default "acme"
   */
  tls?: Input<"acme" | "internal">;
  /**
   * E-mail address to which the certificate authority sends warnings. Without it, no warnings are sent.
   * @example "operator@example.org"
   */
  email?: Input<string>;
  /**
   * ACME directory URL of another authority for `acme`: for example your own, which the host must trust, or the
   * staging directory of a public one. Without it, Caddy uses its default public authorities.
   * @example "https://ca.example.org/acme/acme/directory"
   */
  acmeDirectory?: Input<string>;
  /**
   * Sites in addition to that of authentik.
   * @default {}
   */
  sites?: Record<
    string,
    {
      /**
       * Public domain name of the site.
       * @example "grafana.example.org"
       */
      domain: Input<string>;
      /**
       * Address on this host at which the site is served over plain HTTP.
       * @example "127.0.0.1:3000"
       */
      backend: Input<string>;
      /**
       * Additional Caddyfile lines for the site, which cannot open another site. Caddy checks them before they go
       * live.
       * @default ""
       */
      directives?: Input<string>;
    }
  >;
}
