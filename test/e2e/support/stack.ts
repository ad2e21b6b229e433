// A stack of the real program, run by the real CLI, with its own backend.
import { spawn } from "node:child_process";
import { cpSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { constants, tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Differences } from "../../../plan/cli/differences.ts";
import type { Report } from "../../../plan/report/report.ts";
import { VAULT, vault } from "../../engine/vault.ts";
import { IMAGE, type Lab, type Ran, run } from "./lab.ts";
import { distribution } from "./platform.ts";

const REPOSITORY = fileURLToPath(new URL("../../../", import.meta.url));

// biome-ignore lint/suspicious/noExplicitAny: a test changes one leaf of the settings at a time
export type Settings = Record<string, any>;

export interface Outcome extends Ran {
  /** Number of resources by operation: created, updated, deleted, replaced, unchanged. */
  counts: Record<string, number>;
}

/** An operation in progress. */
export interface Operation {
  ended: Promise<Outcome>;
  /** Resolves once the CLI has printed this. */
  said(what: RegExp): Promise<void>;
  /** Sends the CLI the signal of Ctrl-C. */
  interrupt(): void;
  /** Kills the CLI and all its processes (SIGKILL): language host, program and plugins. */
  kill(): Promise<Outcome>;
}

/** Locations of a stack, if they differ from the platform's. */
export interface Place {
  /** The folder of another program. */
  program?: string;
  /** Separates the folder of state and configuration from those of other stacks in the lab. */
  suffix?: string;
  /** The stack's name, which also identifies it on the host. @default the lab's name */
  name?: string;
  /** The project of a stack that has its own configuration. @default "gatehouse" */
  project?: string;
  /** The stack that shares its backend, so that it can be referenced. @default a separate backend */
  beside?: Stack;
}

export class Stack {
  readonly name: string;
  readonly folder: string;
  settings: Settings;
  readonly #lab: Lab;
  readonly #program: string;
  readonly #project: string;
  readonly #backend: string;
  readonly #inProgress = new Set<Operation>();
  constructor(lab: Lab, settings: Settings = {}, place: Place = {}) {
    const { program = REPOSITORY, suffix = "", name = lab.name, project = "gatehouse", beside = this } = place;
    this.name = name;
    this.#lab = lab;
    this.#program = program;
    this.#project = project;
    this.folder = join(tmpdir(), `gatehouse-${lab.name}${suffix}`);
    this.#backend = beside.folder;
    this.settings = project === "gatehouse" ? { ...usual(lab), ...settings } : settings;
  }

  static async create(lab: Lab, settings?: Settings, place?: Place): Promise<Stack> {
    const stack = new Stack(lab, settings, place);
    mkdirSync(stack.folder);
    await stack.#init();
    await stack.setKey(lab.key);
    return stack;
  }

  setKey(key: string): Promise<void> {
    return this.setSecret("sshKey", key);
  }

  /** Sets a secret as an operator would; later configurations keep the encrypted value. */
  setSecret(name: string, value: string): Promise<void> {
    return this.#secrets(["set", "--secret", `${this.#project}:${name}`], value);
  }

  dropSecret(name: string): Promise<void> {
    return this.#secrets(["rm", `${this.#project}:${name}`]);
  }

  async #secrets(words: string[], input?: string): Promise<void> {
    const kept = join(this.folder, "secret.yaml");
    writeFileSync(this.#file, existsSync(kept) ? readFileSync(kept) : `secretsprovider: ${VAULT}\n`);
    await this.must(["config", ...words, "--config-file", this.#file], input);
    cpSync(this.#file, kept);
  }

  up(...args: string[]): Promise<Outcome> {
    return this.#operate(["up", "--yes", "--skip-preview", ...args]);
  }

  /** Starts an `up`, so that a test can act while it runs. */
  begin(...args: string[]): Operation {
    this.#configure();
    const words = this.#words(["up", "--yes", "--skip-preview", ...args, ...this.#configured]);
    // In a separate session, by which all its processes are found, since plugins create their own process groups.
    const child = spawn("pulumi", words, { env: { ...process.env, ...this.#env }, detached: true });
    let text = "";
    const listeners = new Set<() => void>();
    for (const stream of [child.stdout, child.stderr])
      stream.on("data", (chunk) => {
        text += chunk;
        for (const listener of listeners) listener();
      });
    const ended = new Promise<Outcome>((resolve) =>
      child.on("close", (status, signal) => {
        this.#inProgress.delete(operation);
        resolve(outcome({ status: status ?? 128 + constants.signals[signal ?? "SIGKILL"], text }));
      }),
    );
    const operation: Operation = {
      ended,
      said: (what) =>
        new Promise((resolve, reject) => {
          const look = () => what.test(text) && resolve();
          listeners.add(look);
          look();
          ended.then(() => reject(new Error(`pulumi ended without saying ${what}:\n${text}`)));
        }),
      interrupt: () => child.kill("SIGINT"),
      kill: async () => {
        await run("pkill", ["-KILL", "--session", `${child.pid}`]);
        return ended;
      },
    };
    this.#inProgress.add(operation);
    return operation;
  }

  /** A copy of the stack and its backend in another checkout, in their current state. */
  copy(suffix: string): Stack {
    const copy = new Stack(this.#lab, structuredClone(this.settings), { program: this.#program, suffix });
    cpSync(this.folder, copy.folder, { recursive: true });
    return copy;
  }

  preview(...args: string[]): Promise<Outcome> {
    return this.#operate(["preview", ...args]);
  }

  /** The output of `npm run plan` for the current settings. */
  async plan(): Promise<Ran & { report: Report }> {
    const { said, ...ran } = await this.#tell("plan");
    if (ran.status === 1) throw new Error(ran.text);
    return { ...ran, report: said as Report };
  }

  /** The output of `npm run drift`; `found` is empty if it fails. */
  async drift(): Promise<Ran & { found: Differences }> {
    const { said, ...ran } = await this.#tell("drift");
    return { ...ran, found: said as Differences };
  }

  async #tell(command: "plan" | "drift"): Promise<Ran & { said: unknown }> {
    this.#configure();
    const json = join(this.folder, `${command}.json`);
    rmSync(json, { force: true });
    const args = [
      join(REPOSITORY, `plan/cli/${command}.ts`),
      "--stack",
      this.name,
      "--config-file",
      this.#file,
      "--json",
      json,
    ];
    const ran = await run("node", args, { env: this.#env });
    return { ...ran, said: existsSync(json) ? JSON.parse(readFileSync(json, "utf8")) : undefined };
  }

  refresh(...args: string[]): Promise<Outcome> {
    return this.#operate(["refresh", "--yes", "--skip-preview", ...args]);
  }

  destroy(): Promise<Outcome> {
    return this.#operate(["destroy", "--yes", "--skip-preview"]);
  }

  /** The stack's outputs, with secrets in plain text. */
  // biome-ignore lint/suspicious/noExplicitAny: the tests check the outputs
  async outputs(): Promise<any> {
    return JSON.parse(await this.must(["stack", "output", "--json", "--show-secrets"]));
  }

  /** The state as stored in the backend. */
  state(): Promise<string> {
    return this.must(["stack", "export"]);
  }

  /** Deletes the state, as if it had been lost. */
  async forget(): Promise<void> {
    await this.must(["stack", "rm", "--force", "--yes", "--preserve-config"]);
    await this.#init();
  }

  /**
   * Creates the stack, without the configuration file that the CLI writes beside the program, where it would look like
   * part of the project.
   */
  async #init(): Promise<void> {
    await this.must(["stack", "init", this.name, "--secrets-provider", VAULT]);
    rmSync(join(this.#program, `Pulumi.${this.name}.yaml`), { force: true });
  }

  /** Ends operations that a failed test left running, and unlocks the stack. */
  async stop(): Promise<void> {
    await Promise.all([...this.#inProgress].map((operation) => operation.kill()));
    await this.pulumi(["cancel", "--yes"]);
  }

  remove(): void {
    rmSync(this.folder, { recursive: true });
  }

  #configure(): void {
    const settings = Object.entries(this.settings).map(
      ([key, value]) => `  ${this.#project}:${key}: ${JSON.stringify(value)}\n`,
    );
    writeFileSync(this.#file, readFileSync(join(this.folder, "secret.yaml"), "utf8") + settings.join(""));
  }

  async #operate(command: string[]): Promise<Outcome> {
    this.#configure();
    return outcome(await this.pulumi([...command, ...this.#configured]));
  }

  get #configured(): string[] {
    return ["--config-file", this.#file, "--color", "never"];
  }

  async must(args: string[], input?: string): Promise<string> {
    const { status, text } = await this.pulumi(args, input);
    if (status !== 0) throw new Error(`pulumi ${args.join(" ")} ended with ${status}:\n${text}`);
    return text;
  }

  pulumi(args: string[], input?: string): Promise<Ran> {
    return run("pulumi", this.#words(args), { env: this.#env, input });
  }

  #words(args: string[]): string[] {
    const stack = args[0] === "stack" && args[1] === "init" ? [] : ["--stack", this.name];
    return [...args, ...stack, "--cwd", this.#program, "--non-interactive"];
  }

  get #env() {
    return { PULUMI_BACKEND_URL: `file://${this.#backend}`, ...vault };
  }

  get #file(): string {
    return join(this.folder, `Pulumi.${this.name}.yaml`);
  }
}

const usual = (lab: Lab): Settings => ({
  host: { address: lab.address, hostKey: lab.hostKey, platform: distribution.id },
  authentik: { domain: "auth.lab.internal", image: IMAGE, version: "2026.8.3", allowDowngrade: true, deadline: 60 },
  caddy: { tls: "internal" },
});

function outcome(ran: Ran): Outcome {
  const summary = /^Resources:\n((?: {4}.*\n)+)/m.exec(ran.text)?.[1] ?? "";
  const counts = [...summary.matchAll(/(\d+) (created|updated|deleted|replaced|unchanged|errored)/g)];
  return { ...ran, counts: Object.fromEntries(counts.map(([, count, what]) => [what, Number(count)])) };
}
