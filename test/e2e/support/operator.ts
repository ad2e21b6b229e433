// An operator on their own machine: a checkout, a home directory with a key, and the names that a browser would
// resolve. Follows documents literally, command by command.
import { execFileSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { homedir, tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { describe, expect, test } from "vitest";
import { type Block, blocksOf, exchanges, fits, isFile, isRun, ROOT } from "../../documents/blocks.ts";
import { type Lab, type Ran, run } from "./lab.ts";

/** Replaces the host's address and key in the documents with those of the lab. */
const STANDS_FOR = (lab: Lab): [RegExp, string][] => [
  [/\b192\.0\.2\.10\b/g, lab.address],
  [/ssh-ed25519 AAAA\S+/g, lab.hostKey],
];

/** Where the lab pulls authentik's image from: the stand-in is served in place of the real one. */
const MIRROR = `[[registry]]
prefix = "ghcr.io/goauthentik/server"
location = "localhost:5000/authentik-stand-in"
insecure = true
`;

export class Operator {
  readonly #known: Lab | undefined;
  readonly #folder = mkdtempSync(join(tmpdir(), "gatehouse-operator-"));

  private constructor(lab?: Lab) {
    this.#known = lab;
    this.#checkOut();
  }

  /** An operator without a host. */
  static alone(): Operator {
    return new Operator();
  }

  static async of(lab: Lab, ...domains: string[]): Promise<Operator> {
    const operator = new Operator(lab);
    operator.#furnish(domains);
    await lab.sh(`cat >/etc/containers/registries.conf.d/ghcr.conf <<'END'\n${MIRROR}END`);
    return operator;
  }

  get #lab(): Lab {
    if (!this.#known) throw new Error("this operator has no host");
    return this.#known;
  }

  remove(): void {
    rmSync(this.#folder, { recursive: true });
  }

  #checkOut(): void {
    // Excludes files that the CLI temporarily writes beside the program for each stack that another test is creating.
    const others = ["--others", "--exclude-standard", "--exclude=Pulumi.*.yaml"];
    const files = execFileSync("git", ["ls-files", "--cached", ...others], { cwd: ROOT });
    for (const path of files.toString().trim().split("\n")) {
      // The operator writes this file of the example.
      if (path !== "Pulumi.prod.yaml") cpSync(join(ROOT, path), join(this.#folder, "gatehouse", path));
    }
    symlinkSync(join(ROOT, "node_modules"), join(this.#folder, "gatehouse/node_modules"));
    mkdirSync(join(this.#folder, "backend"));
  }

  #furnish(domains: readonly string[]): void {
    mkdirSync(join(this.#folder, ".ssh"));
    writeFileSync(join(this.#folder, ".ssh/gatehouse"), this.#lab.key, { mode: 0o600 });
    // Neither the names nor the certificates are public.
    const names = domains.map((domain) => `connect-to = "${domain}:443:${this.#lab.address}:443"\n`);
    writeFileSync(join(this.#folder, ".curlrc"), `insecure\n${names.join("")}`);
  }

  /** Runs every block of a document as a separate test, in the document's order. */
  static follows(document: string, operator: () => Operator): void {
    describe(document, () => {
      for (const block of blocksOf(document).filter(isRun)) {
        const [first = ""] = block.text.trim().split("\n");
        test(`${block.line}: ${isFile(block) ? block.words[0] : first}`, () => operator().does(block));
      }
    });
  }

  async does(block: Block): Promise<void> {
    if (isFile(block)) return this.#write(block);
    if (block.kind === "console") return this.#converses(block);
    await this.#succeeds(block.words, block.text);
  }

  /** Commands that are not in a document, or not as separate commands. */
  types(commands: string): Promise<string> {
    return this.#succeeds([], commands);
  }

  async #succeeds(words: readonly string[], commands: string): Promise<string> {
    const { status, text } = await this.#bash(words, `set -e\n${commands}`);
    expect(status, `${commands}\n${text}`).toBe(0);
    return text;
  }

  async #write({ kind, words: [path = ""], text }: Block): Promise<void> {
    const file = join(this.#folder, "gatehouse", path);
    if (kind === "diff") return this.#patch(path, text);
    const here = STANDS_FOR(this.#lab).reduce((all, [pattern, name]) => all.replaceAll(pattern, name), text);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, here);
  }

  /** The document has its own line numbers; the lines around a change locate it. */
  async #patch(path: string, hunks: string): Promise<void> {
    const input = `--- a/${path}\n+++ b/${path}\n${hunks}`;
    const cwd = join(this.#folder, "gatehouse");
    const { status, text } = await run("git", ["apply", "--recount", "--unidiff-zero", "-"], { cwd, input });
    expect(status, `${input}\n${text}`).toBe(0);
  }

  /** Every command must succeed, unless the next one prints its exit status. */
  async #converses(block: Block): Promise<void> {
    const said = exchanges(block.text);
    const mark = "\u0001";
    const commands = said.map(({ command }) => `${command}\ns=$?; printf '\\n${mark}%s\\n' $s; (exit $s)\n`).join("");
    const { text } = await this.#bash(block.words, `exec 2>&1\n${commands}`);
    const answers = [...text.matchAll(new RegExp(`(.*?)\\n${mark}(\\d+)\\n`, "gs"))];
    for (const [index, { command, expected }] of said.entries()) {
      const [, printed = `it did not come to that:\n${text}`, status = "none"] = answers[index] ?? [];
      if (!/^echo .*\$\?/.test(said[index + 1]?.command ?? "")) expect(status, `${command}\n${printed}`).toBe("0");
      // Shows both texts in full if they differ.
      if (!fits(expected, `${printed}\n`)) expect(printed, command).toBe(expected.join("\n"));
    }
  }

  #bash(words: readonly string[], script: string): Promise<Ran> {
    if (words.includes("host")) return this.#lab.bash(script);
    const env = {
      HOME: this.#folder,
      PULUMI_BACKEND_URL: `file://${this.#folder}/backend`,
      PULUMI_SKIP_CONFIRMATIONS: "true",
      NO_COLOR: "1",
      // Reuses tools that this machine has already built.
      GATEHOUSE_CACHE: process.env.GATEHOUSE_CACHE ?? join(homedir(), ".cache/gatehouse"),
      // `make` sets these for its child processes.
      MAKELEVEL: undefined,
      MAKEFLAGS: undefined,
      MFLAGS: undefined,
    };
    return run("bash", ["-c", script], { env, cwd: join(this.#folder, "gatehouse") });
  }
}
