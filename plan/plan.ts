// `npm run plan`: what an `up` would do on the host. docs/plan.md explains it.
import { writeFileSync } from "node:fs";
import { reportOf } from "./changes.ts";
import { html } from "./html.ts";
import { markdown } from "./markdown.ts";
import { HELP, type Options, optionsOf, refused, UsageError } from "./options.ts";
import { PreviewError, preview } from "./preview.ts";
import { terminal } from "./terminal.ts";

const NOTHING_TO_DO = 0;
const FAILED = 1;
const CHANGES = 2;
const REFUSED = 3;

const say = (line: string) => process.stderr.write(`${line}\n`);

async function plan({ stack, configFile, out, html: page, json, link, failOn }: Options): Promise<number> {
  const report = reportOf(await preview(stack, configFile, say));
  const write = (file: string | undefined, content: () => string) => {
    if (file === undefined) return;
    try {
      writeFileSync(file, content());
    } catch (error) {
      throw new UsageError(`${file} cannot be written: ${(error as Error).message}`);
    }
    say(`wrote ${file}`);
  };
  write(out, () => markdown(report, { link }));
  write(page, () => html(report));
  write(json, () => `${JSON.stringify(report, undefined, 2)}\n`);
  process.stdout.write(`${terminal(report)}\n`);
  const unwanted = refused(report, failOn);
  if (unwanted.length > 0) {
    say(`refused by --fail-on: the plan has ${unwanted.join(", ")}`);
    return REFUSED;
  }
  return report.changes ? CHANGES : NOTHING_TO_DO;
}

async function main(): Promise<number> {
  try {
    const options = optionsOf(process.argv.slice(2));
    if (options) return await plan(options);
    process.stdout.write(HELP);
    return NOTHING_TO_DO;
  } catch (error) {
    if (error instanceof UsageError) say(`${error.message}\nnpm run plan -- --help tells more.`);
    else if (error instanceof PreviewError) say(`the preview failed; nothing was changed:\n${error.message}`);
    else throw error;
    return FAILED;
  }
}

process.exitCode = await main();
