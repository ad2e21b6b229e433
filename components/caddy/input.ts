// Generated from schema.ts by `npm run schema`.

/** Settings as they are given: what has a default may be left out. */
export interface CaddyInput {
  /**
   * acme: public certificates. internal: certificates from Caddy's own authority, for a host without a public name.
   * @default "acme"
   */
  tls?: "acme" | "internal";
  /**
   * E-mail address to which the certificate authority sends warnings. Without it, no warnings are sent.
   * @example "operator@example.org"
   */
  email?: string;
  /**
   * ACME directory URL of another authority for `acme`: for example your own, which the host must trust, or the
   * staging directory of a public one. Without it, Caddy uses its default public authorities.
   * @example "https://ca.example.org/acme/acme/directory"
   */
  acmeDirectory?: string;
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
      domain: string;
      /**
       * Address on this host at which the site is served over plain HTTP.
       * @example "127.0.0.1:3000"
       */
      backend: string;
      /**
       * Additional Caddyfile lines for the site, which cannot open another site. Caddy checks them before they go
       * live.
       * @default ""
       */
      directives?: string;
    }
  >;
}
