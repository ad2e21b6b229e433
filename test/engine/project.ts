// Projects of their own for the tests with the engine under test/engine/with: they use this checkout as the package.
import { execFile } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { vault } from "./vault.ts";

const ROOT = resolve(import.meta.dirname, "../..");

export interface Result {
  status: number;
  text: string;
}

/** A folder with projects and a backend. */
export class Projects {
  readonly folder: string;
  readonly #variables: Record<string, string>;

  /** @param name begins the name of the folder, and is the passphrase of stacks without another secrets provider. */
  constructor(name: string) {
    this.folder = mkdtempSync(join(tmpdir(), `${name}-`));
    mkdirSync(join(this.folder, "backend"));
    const backend = `file://${this.folder}/backend`;
    this.#variables = { PULUMI_BACKEND_URL: backend, PULUMI_CONFIG_PASSPHRASE: name, ...vault };
  }

  /** Writes the files of a project. */
  add(name: string, files: Record<string, string>): void {
    const all = {
      "Pulumi.yaml": `name: ${name}\nmain: index.ts\nruntime:\n  name: nodejs\n  options:\n    typescript: false\n    nodeargs: --require=./components/sdk/deferred.cjs\n`,
      // The name under which programs import the package, which contains the same files as a packed one.
      "package.json": '{ "name": "gatehouse", "type": "module", "exports": "./components/library.ts" }',
      ...files,
    };
    for (const [path, content] of Object.entries(all)) {
      mkdirSync(dirname(join(this.folder, name, path)), { recursive: true });
      writeFileSync(join(this.folder, name, path), content);
    }
    for (const part of ["components", "templates", "node_modules"])
      symlinkSync(join(ROOT, part), join(this.folder, name, part));
  }

  /** Runs a program in a project. */
  run(
    project: string,
    program: string,
    args: readonly string[],
    { input = "", variables = {} }: { input?: string; variables?: Record<string, string> } = {},
  ): Promise<Result> {
    const env = { ...process.env, ...this.#variables, ...variables };
    const options = { cwd: join(this.folder, project), env, maxBuffer: 64 << 20 };
    return new Promise((done) => {
      const child = execFile(program, [...args], options, (error, stdout, stderr) =>
        done({ status: error ? Number(error.code) : 0, text: stdout + stderr }),
      );
      // A program may exit before it has read its input; the exit status reports whether that is an error.
      child.stdin?.on("error", () => {});
      child.stdin?.end(input);
    });
  }

  remove(): void {
    rmSync(this.folder, { recursive: true });
  }
}
