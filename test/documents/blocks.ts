// What stands in the documents between fences: commands, what they are expected to print, and files.
//
//     ```sh                commands, run by bash in a checkout on the operator's machine; all must succeed
//     ```console           after `$ ` a command, below it what it prints; `...` stands for anything
//     ```sh host           the same two as root on the host
//     ```sh upgrade        on a host that is upgraded, by the test that has one: test/e2e/own/upgrade.test.ts
//     ```sh internet       only read by `bash -n`: what it needs no lab has; or `human`: who has to be asked, or to wait
//                          for what another test runs (`make demo`: test/e2e/own/demo.test.ts) or none can (`make test`)
//     ```yaml PATH         that file, written where the commands run; `diff` is applied to it
//
// and `<!-- sh host` to `-->`: commands that no reader needs, such as those that bring a fault about. Anything else between
// fences is to be looked at.
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

export const ROOT = fileURLToPath(new URL("../../", import.meta.url));

/** Documents whose commands are run, in this order, on one host that the first of them deploys to. */
export const TOLD_IN_ORDER = [
  "README.md",
  "docs/authentik-deployment-guide.md",
  "docs/operations.md",
  "docs/architecture.md",
  "docs/decisions/003-podman-and-systemd-system-level.md",
  "docs/decisions/005-rootful-containers-infrastructure-facts.md",
  "docs/service-integration-guide.md",
  "CONTRIBUTING.md",
  "docs/plan.md",
  "docs/manifest.md",
  "docs/lab.md",
  "docs/backup-and-restore.md",
];
/** Run on a host that Ansible set up. */
export const MIGRATION = "docs/migrating-from-ansible.md";

export interface Block {
  document: string;
  line: number;
  text: string;
  /** The language, or what a program reads it as. */
  kind: string;
  /** What stands behind the language. */
  words: string[];
  hidden: boolean;
}

const BLOCK =
  /^(?<indent> *)(?:```(?<fence>[^\n]*)\n(?<shown>.*?)^ *```|<!-- (?<comment>(?:sh|console)\b[^\n]*)\n(?<unseen>.*?)^ *-->)$/gms;

export function blocksOf(document: string, markdown = readFileSync(ROOT + document, "utf8")): Block[] {
  return [...markdown.matchAll(BLOCK)].map(({ groups = {}, index }) => {
    const { indent = "", fence, shown, comment = "", unseen = "" } = groups;
    const [kind = "", ...words] = (fence ?? comment).trim().split(/\s+/);
    const text = (shown ?? unseen).replaceAll(new RegExp(`^${indent}`, "gm"), "");
    const line = markdown.slice(0, index).split("\n").length;
    return { document, line, text, kind, words, hidden: shown === undefined };
  });
}

/** The words that commands may be marked with. */
export const MARKS = ["host", "upgrade", "internet", "human"];

export const isCommands = ({ kind }: Block): boolean => kind === "sh" || kind === "console";
export const isFile = (block: Block): boolean => !isCommands(block) && /[./]/.test(block.words[0] ?? "");
export const needsMore = ({ words }: Block): boolean =>
  ["upgrade", "internet", "human"].some((mark) => words.includes(mark));
export const isRun = (block: Block): boolean => isFile(block) || (isCommands(block) && !needsMore(block));

/** A command and the lines that it is expected to print. */
export interface Exchange {
  command: string;
  expected: string[];
}

/** A session at a terminal; a command goes on behind a `\` at the end of its line. */
export function exchanges(text: string): Exchange[] {
  const found: Exchange[] = [];
  let open = false;
  for (const line of text.trimEnd().split("\n")) {
    const last = found.at(-1);
    if (line.startsWith("$ ")) found.push({ command: line.slice(2), expected: [] });
    else if (last && open) last.command += `\n${line}`;
    else if (last) last.expected.push(line);
    else throw new Error(`a session begins with "$ ", not with: ${line}`);
    open = (open || line.startsWith("$ ")) && line.endsWith("\\");
  }
  return found;
}

/** The commands of a block, for bash. */
export const script = (block: Block): string =>
  block.kind === "sh"
    ? block.text
    : exchanges(block.text)
        .map(({ command }) => `${command}\n`)
        .join("");

/** What changes from run to run, in an expectation and in what was printed. */
const PASSING: [RegExp, string][] = [
  [/\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?( ?(Z|UTC))?/g, "TIME"],
  [/\b(\d+(\.\d+)? ?(ms|s|min|m|h|d))+\b/g, "DURATION"],
  [/\b(process|pid) \d+/g, "$1 N"],
  [/[ \t]+/g, " "],
  [/ $/g, ""],
];
const lasting = (line: string) => PASSING.reduce((text, [pattern, name]) => text.replace(pattern, name), line);

/** Whether a command printed what is expected: `...` alone on a line is any lines, within a line any text. */
export function fits(expected: readonly string[], printed: string): boolean {
  const escaped = (line: string) =>
    lasting(line)
      .split("...")
      .map((part) => part.replaceAll(/[.*+?^${}()|[\]\\]/g, "\\$&"))
      .join(".*");
  const pattern = expected.map((line) => (line.trim() === "..." ? "(.*\n)*?" : `${escaped(line)}\n`)).join("");
  const lines = printed.trim() === "" ? [] : printed.replace(/\n+$/, "").replace(/^\n+/, "").split("\n");
  return new RegExp(`^${pattern}$`).test(lines.map((line) => `${lasting(line)}\n`).join(""));
}
