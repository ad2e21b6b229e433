// The attacked host as the attacks see it: from inside a container, as an account of the host, and as the operator.
import { fileURLToPath } from "node:url";
import { inject } from "vitest";
import { Lab, type Ran } from "../../e2e/support/lab.ts";
import { Stack } from "../../e2e/support/stack.ts";

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

export class Attacked {
  readonly lab: Lab;
  /** The platform's stack, and the one of the applications. */
  readonly stack: Stack;
  readonly apps: Stack;

  private constructor(lab: Lab) {
    this.lab = lab;
    this.stack = new Stack(lab, PLATFORM);
    this.apps = new Stack(lab, {}, { program: PROGRAM, suffix: "-apps" });
  }

  static async host(): Promise<Attacked> {
    const attacked = new Attacked(await Lab.at(inject("attacked")));
    const { platform } = await attacked.stack.outputs();
    attacked.apps.settings = { ...attacked.apps.settings, platform, apps: structuredClone(APPS) };
    return attacked;
  }

  /** A Python program in the container of an application, which must succeed; what it prints. */
  async inside(app: keyof typeof APPS, program: string): Promise<string> {
    const { status, text } = await this.tryInside(app, program);
    if (status !== 0) throw new Error(text);
    return text.trim();
  }

  /** The same where it may fail. */
  tryInside(app: keyof typeof APPS, program: string): Promise<Ran> {
    return this.lab.try(`podman exec -i app-${app} python3 - <<'PROGRAM' 2>&1\n${program}\nPROGRAM`);
  }

  /** SQL of an application in its own database, from inside its container. */
  sql(app: "evil" | "victim", statements: string): Promise<string> {
    const database = `psycopg2.connect('host=/run/postgresql dbname=${app} user=${app}')`;
    const program = `import psycopg2\nc = ${database}\nc.autocommit = True\nq = c.cursor()\nq.execute(${JSON.stringify(statements)})\nprint(q.fetchall() if q.description else '')`;
    return this.inside(app, program);
  }

  /** A shell command as an account of the host, with its groups. */
  as(account: string, command: string): Promise<Ran> {
    const quoted = command.replaceAll("'", String.raw`'\''`);
    return this.lab.try(`cd / && setpriv --reuid ${account} --regid ${account} --init-groups sh -c '${quoted}' 2>&1`);
  }

  /** SQL of the superuser's, as an operator asks it. */
  operator(statement: string, database = "postgres"): Promise<string> {
    return this.lab.sh(`cd / && su postgres -c "psql -XqAt -d ${database}" <<'SQL'\n${statement}\nSQL`);
  }
}
