// `npm run drift`: whether a host has drifted. See docs/plan.md.

import { inProgress } from "../read/due.ts";
import { preview } from "../read/preview.ts";
import { answer, command, parsed, say, UsageError, write } from "./command.ts";
import { differencesOf, markdown, terminal } from "./differences.ts";

const HELP = `usage: npm run drift -- --stack STACK [options]

Reports how the host differs from the state that the last \`pulumi up\` applied. Changes nothing. Suitable for a
schedule, such as every night.

  --stack STACK        the stack, such as prod
  --out FILE           write the differences as Markdown
  --json FILE          write the differences as JSON
  --config-file FILE   the stack's configuration, if it is not Pulumi.STACK.yaml
  --help               this text

Exit codes: 0 the host is in sync, 1 an error, also if the host cannot be reached or a deployment is in progress there,
3 the host has drifted.
`;

const CLEAN = 0;
const UNKNOWN = 1;
const DIFFERS = 3;

const text = { type: "string" } as const;
const OPTIONS = { stack: text, out: text, json: text, "config-file": text, help: { type: "boolean" } } as const;

await command("drift", async (args) => {
  const { stack, out, json, "config-file": configFile, help } = parsed(args, OPTIONS);
  if (help) {
    process.stdout.write(HELP);
    return CLEAN;
  }
  if (!stack) throw new UsageError("--stack is missing: name the stack, such as --stack prod");
  // Overrides the configuration: a host that was not inspected must not be reported as in sync.
  process.env.GATEHOUSE_DRIFT = "required";
  const seen = await preview(stack, configFile, say);
  const busy = inProgress(seen);
  if (busy.length > 0) {
    for (const { item, busy: what } of busy) say(`${item} is not known yet: ${what} is in progress on the host`);
    say("run this command again when it has finished");
    return UNKNOWN;
  }
  const found = differencesOf(seen);
  write(out, () => markdown(found));
  write(json, () => `${JSON.stringify(found, undefined, 2)}\n`);
  answer(terminal(found));
  return found.drifted ? DIFFERS : CLEAN;
});
