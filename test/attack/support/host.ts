// The attacked host as seen by the attacks: from inside a container, as an account of the host, and as the operator.
import { inject } from "vitest";
import { Lab, type Ran } from "../../e2e/support/lab.ts";
import { Stack } from "../../e2e/support/stack.ts";
import { APPS, PLATFORM, PROGRAM } from "./apps.ts";

export class Attacked {
  readonly lab: Lab;
  /** The platform's stack, and the applications' stack. */
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

  /** Runs a Python program in an application's container; it must succeed. Returns its output. */
  async inside(app: keyof typeof APPS, program: string): Promise<string> {
    const { status, text } = await this.tryInside(app, program);
    if (status !== 0) throw new Error(text);
    return text.trim();
  }

  /** The same, but the program may fail. */
  tryInside(app: keyof typeof APPS, program: string): Promise<Ran> {
    return this.lab.try(`podman exec -i app-${app} python3 - <<'PROGRAM' 2>&1\n${program}\nPROGRAM`);
  }

  /** Runs SQL of an application in its own database, from inside its container. */
  sql(app: "evil" | "victim", statements: string): Promise<string> {
    const database = `psycopg2.connect('host=/run/postgresql dbname=${app} user=${app}')`;
    const program = `import psycopg2\nc = ${database}\nc.autocommit = True\nq = c.cursor()\nq.execute(${JSON.stringify(statements)})\nprint(q.fetchall() if q.description else '')`;
    return this.inside(app, program);
  }

  /** Runs a shell command as an account of the host, with its groups. */
  as(account: string, command: string): Promise<Ran> {
    const quoted = command.replaceAll("'", String.raw`'\''`);
    return this.lab.try(`cd / && setpriv --reuid ${account} --regid ${account} --init-groups sh -c '${quoted}' 2>&1`);
  }

  /** Runs SQL as the superuser, like an operator. */
  operator(statement: string, database = "postgres"): Promise<string> {
    return this.lab.sh(`cd / && su postgres -c "psql -XqAt -d ${database}" <<'SQL'\n${statement}\nSQL`);
  }
}
