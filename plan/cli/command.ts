// What the commands of this room have in common: how they read their options, write their files, and fail.
import { writeFileSync } from "node:fs";
import { type ParseArgsOptionsConfig, parseArgs } from "node:util";
import { plain } from "../../components/render/plain.ts";
import { PreviewError } from "../read/preview.ts";

/** A wrong use of a command; its message says what is allowed. */
export class UsageError extends Error {}

/** Progress and errors; stdout is for the answer. */
export const say = (line: string): void => void process.stderr.write(`${plain(line)}\n`);

/** The answer, for a terminal. */
export const answer = (lines: string): void => void process.stdout.write(`${plain(lines)}\n`);

/** @throws UsageError naming the options that there are. */
export function parsed<T extends ParseArgsOptionsConfig>(args: readonly string[], options: T) {
  try {
    return parseArgs({ args: [...args], options }).values;
  } catch (error) {
    // Node's own message goes on about positional arguments, which there are none of.
    const [told] = (error as Error).message.split(". ");
    const allowed = Object.keys(options).map((name) => `--${name}`);
    throw new UsageError(`${told}; there are ${allowed.join(", ")}`);
  }
}

/** Writes a file that somebody asked for. */
export function write(file: string | undefined, content: () => string): void {
  if (file === undefined) return;
  try {
    writeFileSync(file, content());
  } catch (error) {
    throw new UsageError(`${file} cannot be written: ${(error as Error).message}`);
  }
  say(`wrote ${file}`);
}

/** Runs `npm run NAME`; its exit code is what `run` answers, and 1 when it fails. */
export async function command(name: string, run: (args: readonly string[]) => Promise<number>): Promise<void> {
  try {
    process.exitCode = await run(process.argv.slice(2));
  } catch (error) {
    if (error instanceof UsageError) say(`${error.message}\nnpm run ${name} -- --help tells more.`);
    else if (error instanceof PreviewError) say(`the preview failed; nothing was changed:\n${error.message}`);
    else throw error;
    process.exitCode = 1;
  }
}
