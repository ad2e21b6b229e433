// What the attacked host runs beside the platform.
import { fileURLToPath } from "node:url";

/** The program of the second stack. */
export const PROGRAM = fileURLToPath(new URL("../../e2e/own/apps", import.meta.url));
export const PYTHON = "localhost/python:1";

/** What the platform is asked for beyond the usual. */
export const PLATFORM = {
  backup: { repository: { path: "/srv/backups" } },
  // A role that logs in by password.
  postgres: { databases: { reports: { owner: "reporting" } }, roles: { reporting: { auth: "scram" } } },
};

const IDLE = ["-c", "import signal; signal.pause()"];
const SERVE = ["-m", "http.server", "8080", "--directory", "/srv"];

/** `evil` attacks, `victim` is attacked, and `plain` has files that Caddy serves and no socket at all. */
export const APPS = {
  evil: {
    containers: {
      web: {
        image: PYTHON,
        command: SERVE,
        volumes: { "/srv": "files" },
        secrets: { key: "the key of evil" },
        port: 8080,
        publish: 9100,
      },
    },
    wantsPostgres: "evil",
    valkey: {},
    site: { domain: "evil.attack.internal", port: 9100, tls: "internal" },
  },
  victim: {
    containers: {
      web: {
        image: PYTHON,
        command: SERVE,
        volumes: { "/srv": "files" },
        secrets: { key: "the key of victim" },
        port: 8080,
        publish: 9200,
      },
    },
    wantsPostgres: "victim",
    valkey: {},
    site: { domain: "victim.attack.internal", port: 9200, tls: "internal" },
  },
  plain: {
    containers: { web: { image: PYTHON, command: IDLE, volumes: { "/pub": "pub" } } },
    site: { domain: "plain.attack.internal", files: "pub", tls: "internal" },
    purge: true,
  },
};
