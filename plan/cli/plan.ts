// `npm run plan`: what `pulumi up` would do on the host. See docs/plan.md.

import { preview } from "../read/preview.ts";
import { html } from "../render/html.ts";
import { markdown } from "../render/markdown.ts";
import { terminal } from "../render/terminal.ts";
import { reportOf } from "../report/changes.ts";
import { answer, command, say, write } from "./command.ts";
import { HELP, optionsOf, refused } from "./options.ts";

const NOTHING_TO_DO = 0;
const CHANGES = 2;
const REFUSED = 3;
const UNKNOWN = 4;

await command("plan", async (args) => {
  const options = optionsOf(args);
  if (!options) {
    process.stdout.write(HELP);
    return NOTHING_TO_DO;
  }
  const { stack, configFile, out, html: page, json, link, failOn } = options;
  const report = reportOf(await preview(stack, configFile, say));
  write(out, () => markdown(report, { link }));
  write(page, () => html(report));
  write(json, () => `${JSON.stringify(report, undefined, 2)}\n`);
  answer(terminal(report));
  const unwanted = refused(report, failOn);
  if (unwanted.length > 0) {
    say(`refused by --fail-on: the plan has ${unwanted.join(", ")}`);
    return REFUSED;
  }
  if (report.notInspected) return UNKNOWN;
  return report.changes ? CHANGES : NOTHING_TO_DO;
});
