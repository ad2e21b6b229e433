import { readFileSync } from "node:fs";
import { basename } from "node:path";

/**
 * Whether the program runs for an update plan (`pulumi preview --save-plan`, `pulumi up --plan`). The engine does not
 * pass this to a program, so it is read from the command line of the CLI, which started the language host that started
 * the program. False on a system without /proc.
 */
export function usesUpdatePlan(): boolean {
  let pid = process.ppid;
  for (let generation = 0; generation < 3; generation++) {
    const { name, args, parent } = read(pid);
    if (name === "pulumi") return args.some((arg) => /^--(save-)?plan(=|$)/.test(arg));
    pid = parent;
  }
  return false;
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
