// Stacks for the tests of the plan.
import { SMALL } from "../components/program.ts";

/** A stack with every feature: an application that uses Valkey, a role with a password, a site, an old authentik. */
export const FULL = {
  ...SMALL,
  authentik: { domain: "auth.example.org", version: "2025.8.4", environment: { AUTHENTIK_LOG_LEVEL: "info" } },
  postgres: { settings: { work_mem: "4MB" }, databases: { wiki: {} }, roles: { wiki: { auth: "scram" } } },
  valkey: { databases: { authentik: 1, grafana: 2 } },
  caddy: {
    tls: "internal",
    sites: { grafana: { domain: "grafana.example.org", backend: "127.0.0.1:3000", directives: "encode gzip" } },
  },
};
