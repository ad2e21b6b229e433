// A stack of the real program, driven by the real CLI, with a backend of its own.
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Differences } from "../../../plan/differences.ts";
import type { Report } from "../../../plan/report.ts";
import { IMAGE, type Lab, type Ran, run } from "./lab.ts";

const REPOSITORY = fileURLToPath(new URL("../../../", import.meta.url));

// biome-ignore lint/suspicious/noExplicitAny: a test changes one leaf of the settings at a time
export type Settings = Record<string, any>;

export interface Outcome extends Ran {
  /** Resources by what happened to them: created, updated, deleted, replaced, unchanged. */
  counts: Record<string, number>;
}

export class Stack {
  readonly name: string;
  readonly folder: string;
  settings: Settings;
  constructor(lab: Lab, settings: Settings = {}) {
    this.name = lab.name;
    this.folder = join(tmpdir(), `gatehouse-${lab.name}`);
    this.settings = {
      host: { address: lab.address, hostKey: lab.hostKey },
      authentik: { domain: "auth.lab.internal", image: IMAGE, version: "2026.8.3", deadline: 60 },
      caddy: { tls: "internal" },
      ...settings,
    };
  }

  static async create(lab: Lab, settings?: Settings): Promise<Stack> {
    const stack = new Stack(lab, settings);
    mkdirSync(stack.folder);
    await stack.#init();
    await stack.setKey(lab.key);
    return stack;
  }

  /** Sets the SSH key as an operator would; the encrypted value is kept for later configurations. */
  async setKey(key: string): Promise<void> {
    writeFileSync(this.#file, "");
    await this.must(["config", "set", "--secret", "gatehouse:sshKey", "--config-file", this.#file], key);
    const text = readFileSync(this.#file, "utf8");
    const [salt, secure] = [/encryptionsalt: (\S+)/, /secure: (\S+)/].map((pattern) => pattern.exec(text)?.[1]);
    const secret = `encryptionsalt: ${salt}\nconfig:\n  gatehouse:sshKey:\n    secure: ${secure}\n`;
    writeFileSync(join(this.folder, "secret.yaml"), secret);
  }

  up(...args: string[]): Promise<Outcome> {
    return this.#operate(["up", "--yes", "--skip-preview", ...args]);
  }

  preview(...args: string[]): Promise<Outcome> {
    return this.#operate(["preview", ...args]);
  }

  /** What `npm run plan` says of the settings as they are now. */
  async plan(): Promise<Ran & { report: Report }> {
    const { said, ...ran } = await this.#tell("plan");
    if (ran.status === 1) throw new Error(ran.text);
    return { ...ran, report: said as Report };
  }

  /** What `npm run drift` says; nothing is found where it fails. */
  async drift(): Promise<Ran & { found: Differences }> {
    const { said, ...ran } = await this.#tell("drift");
    return { ...ran, found: said as Differences };
  }

  async #tell(command: "plan" | "drift"): Promise<Ran & { said: unknown }> {
    this.#configure();
    const json = join(this.folder, `${command}.json`);
    rmSync(json, { force: true });
    const args = [
      join(REPOSITORY, `plan/${command}.ts`),
      "--stack",
      this.name,
      "--config-file",
      this.#file,
      "--json",
      json,
    ];
    const env = { PULUMI_BACKEND_URL: this.#backend };
    const ran = await run("node", args, { env });
    return { ...ran, said: existsSync(json) ? JSON.parse(readFileSync(json, "utf8")) : undefined };
  }

  destroy(): Promise<Outcome> {
    return this.#operate(["destroy", "--yes", "--skip-preview"]);
  }

  /** The stack's outputs, secrets in the clear. */
  // biome-ignore lint/suspicious/noExplicitAny: outputs are what the test is about
  async outputs(): Promise<any> {
    return JSON.parse(await this.must(["stack", "output", "--json", "--show-secrets"]));
  }

  /** The state as the backend keeps it. */
  state(): Promise<string> {
    return this.must(["stack", "export"]);
  }

  /** Forget everything, as if the state had been lost. */
  async forget(): Promise<void> {
    await this.must(["stack", "rm", "--force", "--yes", "--preserve-config"]);
    await this.#init();
  }

  /** The CLI leaves a configuration beside the program, where it would be taken for one of the project's own. */
  async #init(): Promise<void> {
    await this.must(["stack", "init", this.name]);
    rmSync(join(REPOSITORY, `Pulumi.${this.name}.yaml`), { force: true });
  }

  remove(): void {
    rmSync(this.folder, { recursive: true });
  }

  #configure(): void {
    const settings = Object.entries(this.settings).map(
      ([key, value]) => `  gatehouse:${key}: ${JSON.stringify(value)}\n`,
    );
    writeFileSync(this.#file, readFileSync(join(this.folder, "secret.yaml"), "utf8") + settings.join(""));
  }

  async #operate(command: string[]): Promise<Outcome> {
    this.#configure();
    const ran = await this.pulumi([...command, "--config-file", this.#file, "--color", "never"]);
    const summary = /^Resources:\n((?: {4}.*\n)+)/m.exec(ran.text)?.[1] ?? "";
    const counts = [...summary.matchAll(/(\d+) (created|updated|deleted|replaced|unchanged|errored)/g)];
    return { ...ran, counts: Object.fromEntries(counts.map(([, count, what]) => [what, Number(count)])) };
  }

  async must(args: string[], input?: string): Promise<string> {
    const { status, text } = await this.pulumi(args, input);
    if (status !== 0) throw new Error(`pulumi ${args.join(" ")} ended with ${status}:\n${text}`);
    return text;
  }

  pulumi(args: string[], input?: string): Promise<Ran> {
    const stack = args[0] === "stack" && args[1] === "init" ? [] : ["--stack", this.name];
    const env = { PULUMI_BACKEND_URL: this.#backend };
    return run("pulumi", [...args, ...stack, "--cwd", REPOSITORY, "--non-interactive"], { env, input });
  }

  get #backend(): string {
    return `file://${this.folder}`;
  }

  get #file(): string {
    return join(this.folder, `Pulumi.${this.name}.yaml`);
  }
}
