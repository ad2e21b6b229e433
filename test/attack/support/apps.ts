// The applications on the attacked host, beside the platform.
import { fileURLToPath } from "node:url";

/** The program of the second stack. */
export const PROGRAM = fileURLToPath(new URL("../../e2e/own/apps", import.meta.url));
export const PYTHON = "localhost/python:1";

/** Additional settings of the platform. */
export const PLATFORM = {
  backup: { repository: { path: "/srv/backups" } },
  // A role that logs in with a password.
  postgres: { databases: { reports: { owner: "reporting" } }, roles: { reporting: { auth: "scram" } } },
};

const IDLE = ["-c", "import signal; signal.pause()"];
const SERVE = ["-m", "http.server", "8080", "--directory", "/srv"];

/** An application with everything that it may request: a database, a Valkey, a secret, a volume and a site. */
const application = (name: string, publish: number) => ({
  containers: {
    web: {
      image: PYTHON,
      command: SERVE,
      volumes: { "/srv": "files" },
      secrets: { key: `the key of ${name}` },
      port: 8080,
      publish,
    },
  },
  wantsPostgres: name,
  valkey: {},
  site: { domain: `${name}.attack.internal`, port: publish, tls: "internal" },
});

/** `evil` attacks, `victim` is attacked, and `plain` has files that Caddy serves, and no socket. */
export const APPS = {
  evil: application("evil", 9100),
  victim: application("victim", 9200),
  plain: {
    containers: { web: { image: PYTHON, command: IDLE, volumes: { "/pub": "pub" } } },
    site: { domain: "plain.attack.internal", files: "pub", tls: "internal" },
    purge: true,
  },
};
