// A stack of this program for the tests with the engine under test/engine/with. A fake host answers as the agent would.
import { execFile } from "node:child_process";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { expect } from "vitest";
import { FULL } from "../plan/configurations.ts";
import { host } from "../plan/host.ts";
import type { Sshd } from "../unit/sshd.ts";
import { VAULT, vault } from "./vault.ts";

export const REPOSITORY = resolve(import.meta.dirname, "../..");

export interface Result {
  status: number;
  stdout: string;
  stderr: string;
}

export class TestStack {
  readonly name: string;
  readonly dir: string;
  readonly server: Sshd;
  /** The names of the items that the host does not apply. */
  readonly failing: Set<string>;

  private constructor(name: string, dir: string, server: Sshd, failing: Set<string>) {
    this.name = name;
    this.dir = dir;
    this.server = server;
    this.failing = failing;
  }

  static async create(name: string): Promise<TestStack> {
    const dir = await mkdtemp(join(tmpdir(), `${name}-`));
    await mkdir(join(dir, "backend"));
    const failing = new Set<string>();
    const stack = new TestStack(name, dir, await host(failing), failing);
    await stack.pulumi(["stack", "init", name, "--secrets-provider", VAULT]);
    await rm(join(REPOSITORY, `Pulumi.${name}.yaml`), { force: true });
    await stack.configure();
    return stack;
  }

  async remove(): Promise<void> {
    await this.server.close();
    await rm(this.dir, { recursive: true });
  }

  get configFile(): string {
    return join(this.dir, `Pulumi.${this.name}.yaml`);
  }

  /** The options of a command about this stack. */
  get options(): string[] {
    return ["--stack", this.name, "--config-file", this.configFile];
  }

  run(program: string, args: string[], input?: string, variables: Record<string, string> = {}): Promise<Result> {
    return new Promise((done) => {
      const backend = { PULUMI_BACKEND_URL: `file://${this.dir}/backend`, ...vault };
      const env = { ...process.env, ...backend, ...variables };
      const child = execFile(program, args, { cwd: REPOSITORY, env, maxBuffer: 64 << 20 }, (error, stdout, stderr) =>
        done({ status: error ? Number(error.code) : 0, stdout, stderr }),
      );
      // A program may exit before it has read its input; the exit status reports whether that is an error.
      child.stdin?.on("error", () => {});
      child.stdin?.end(input);
    });
  }

  /** Its output; it must succeed. */
  async pulumi(args: string[], input?: string, variables?: Record<string, string>): Promise<string> {
    const { status, stdout, stderr } = await this.run("pulumi", [...args, "--non-interactive"], input, variables);
    expect(`${status} ${status === 0 ? "" : stdout + stderr}`).toBe("0 ");
    return stdout;
  }

  async configure(change: object = {}, key = this.server.key): Promise<void> {
    const connection = { address: "127.0.0.1", port: this.server.port, hostKey: this.server.hostKey };
    const settings = Object.entries({ drift: false, ...FULL, host: connection, ...change });
    await writeFile(
      this.configFile,
      [
        `secretsprovider: ${VAULT}`,
        "config:",
        ...settings.map(([key, value]) => `  gatehouse:${key}: ${JSON.stringify(value)}`),
      ].join("\n"),
    );
    await this.pulumi(["config", "set", "--secret", "gatehouse:sshKey", ...this.options], key);
  }
}
