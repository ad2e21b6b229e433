// Shared by the commands: parsing options, writing files, and reporting errors.
import { writeFileSync } from "node:fs";
import { type ParseArgsOptionsConfig, parseArgs } from "node:util";
import { plain } from "../../components/render/plain.ts";
import { PreviewError } from "../read/preview.ts";

/** Wrong usage of a command; the message lists the allowed values. */
export class UsageError extends Error {}

/** Prints progress and errors to stderr; stdout is reserved for the result. */
export const say = (line: string): void => void process.stderr.write(`${plain(line)}\n`);

/** Prints the result to stdout. */
export const answer = (lines: string): void => void process.stdout.write(`${plain(lines)}\n`);

/** @throws UsageError that lists the valid options. */
export function parsed<T extends ParseArgsOptionsConfig>(args: readonly string[], options: T) {
  try {
    return parseArgs({ args: [...args], options }).values;
  } catch (error) {
    // Keep only the first sentence: the others are about positional arguments, which these commands do not take.
    const [reason] = (error as Error).message.split(". ");
    const allowed = Object.keys(options).map((name) => `--${name}`);
    throw new UsageError(`${reason}; valid options: ${allowed.join(", ")}`);
  }
}

/** Writes a file if the user asked for it. */
export function write(file: string | undefined, content: () => string): void {
  if (file === undefined) return;
  try {
    writeFileSync(file, content());
  } catch (error) {
    throw new UsageError(`${file} cannot be written: ${(error as Error).message}`);
  }
  say(`wrote ${file}`);
}

/** Runs `npm run NAME`. The exit code is the result of `run`, or 1 if it fails. */
export async function command(name: string, run: (args: readonly string[]) => Promise<number>): Promise<void> {
  try {
    process.exitCode = await run(process.argv.slice(2));
  } catch (error) {
    if (error instanceof UsageError) say(`${error.message}\nRun npm run ${name} -- --help for usage.`);
    else if (error instanceof PreviewError) say(`the preview failed; nothing was changed:\n${error.message}`);
    else throw error;
    process.exitCode = 1;
  }
}
