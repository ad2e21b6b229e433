import { readdirSync, readFileSync } from "node:fs";
import { basename } from "node:path";

/**
 * The arguments of the CLI that runs this program. The engine does not pass its options to a program, so they are read
 * from the command line of the process: an ancestor, because the CLI starts the language host that starts the program;
 * or a child, if an inline program of the Automation API started the CLI. Empty on a system without /proc.
 *
 * @param stack the name of the stack, by which an inline program finds the right child.
 */
export function cliArguments(stack: string): string[] {
  let pid = process.ppid;
  for (let generation = 0; generation < 3; generation++) {
    const { name, args, parent } = read(pid);
    if (name === "pulumi") return args;
    pid = parent;
  }
  const children = childrenOf(process.pid).map(read);
  const isOf = (arg: string) => arg === stack || arg.endsWith(`/${stack}`);
  return children.find(({ name, args }) => name === "pulumi" && args.some(isOf))?.args ?? [];
}

function read(pid: number): { name: string; args: string[]; parent: number } {
  try {
    const [command = "", ...args] = readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0");
    const parent = /^PPid:\s*(\d+)$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1];
    return { name: basename(command), args, parent: Number(parent) };
  } catch {
    return { name: "", args: [], parent: 0 };
  }
}

/** Each thread lists the processes that it started. */
function childrenOf(pid: number): number[] {
  try {
    const threads = readdirSync(`/proc/${pid}/task`);
    return threads.flatMap((thread) =>
      readFileSync(`/proc/${pid}/task/${thread}/children`, "utf8").split(" ").filter(Boolean).map(Number),
    );
  } catch {
    return [];
  }
}
