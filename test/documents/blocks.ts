// The fenced blocks of the documents: commands, their expected output, and files.
//
//     ```sh                commands, run by bash in a checkout on the operator's machine; all must succeed
//     ```console           a command after `$ `, and its output below it; `...` matches anything
//     ```sh host           the same two as root on the host
//     ```sh upgrade        on a host that is upgraded, by the test of upgrades: test/e2e/own/upgrade.test.ts
//     ```sh internet       only parsed by `bash -n`: no lab has the services that it needs; or `human`: it needs a person,
//                          another test runs it (`make demo`: test/e2e/own/demo.test.ts), or none can (`make test`)
//     ```sh package        in an empty folder beside the packed package: test/engine/install.test.ts
//     ```yaml PATH         that file, written where the commands run; `diff` is applied to it
//
// and `<!-- sh host` to `-->`: commands that readers do not need, such as those that cause a failure. All other blocks
// are only for reading.
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

export const ROOT = fileURLToPath(new URL("../../", import.meta.url));

/** Documents with commands that run in this order on one host; the first one deploys to it. */
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
/** Runs on a host that Ansible has set up. */
export const MIGRATION = "docs/migrating-from-ansible.md";

export interface Block {
  document: string;
  line: number;
  text: string;
  /** The language, or the name under which a program reads it. */
  kind: string;
  /** The words after the language. */
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

/** Words that can mark commands. */
export const MARKS = ["host", "upgrade", "internet", "human", "package"];

export const isCommands = ({ kind }: Block): boolean => kind === "sh" || kind === "console";
export const isFile = (block: Block): boolean => !isCommands(block) && /[./]/.test(block.words[0] ?? "");
export const needsMore = ({ words }: Block): boolean =>
  ["upgrade", "internet", "human", "package"].some((mark) => words.includes(mark));
export const isRun = (block: Block): boolean => isFile(block) || (isCommands(block) && !needsMore(block));

/** A command and its expected output lines. */
export interface Exchange {
  command: string;
  expected: string[];
}

/** A terminal session; a `\` at the end of a line continues its command. */
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

/** The commands of a block, as a bash script. */
export const script = (block: Block): string =>
  block.kind === "sh"
    ? block.text
    : exchanges(block.text)
        .map(({ command }) => `${command}\n`)
        .join("");

/** Values that differ between runs, in an expectation and in the output. */
const PASSING: [RegExp, string][] = [
  [/\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?( ?(Z|UTC))?/g, "TIME"],
  [/\b(\d+(\.\d+)? ?(ms|s|min|m|h|d))+\b/g, "DURATION"],
  [/\b(process|pid) \d+/g, "$1 N"],
  [/[ \t]+/g, " "],
  [/ $/g, ""],
];
const lasting = (line: string) => PASSING.reduce((text, [pattern, name]) => text.replace(pattern, name), line);

/** Whether the output matches the expectation: `...` alone on a line matches any lines, within a line any text. */
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
