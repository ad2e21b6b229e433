// The options of `npm run plan`.

import type { Report } from "../report/report.ts";
import { parsed, UsageError } from "./command.ts";

/** The kinds that `--fail-on` accepts, each with a test for whether a report contains it. */
export const KINDS = {
  restart: ({ totals }) => totals.restarts > 0,
  reload: ({ totals }) => totals.reloads > 0,
  start: ({ totals }) => totals.starts > 0,
  stop: ({ totals }) => totals.stops > 0,
  destroy: ({ totals }) => totals.destroyed > 0,
  repair: ({ totals }) => totals.repairs > 0,
  data: ({ data }) => data.length > 0,
} satisfies Record<string, (report: Report) => boolean>;
export type Kind = keyof typeof KINDS;

export interface Options {
  stack: string;
  /** The stack's configuration. @default - Pulumi.STACK.yaml beside the program */
  configFile?: string;
  /** Where to write the Markdown, the page and the JSON. @default - nowhere */
  out?: string;
  html?: string;
  json?: string;
  /** URL of the complete plan, for truncated Markdown. @default - no link */
  link?: string;
  /** Kinds of change that the plan must not contain. @default - all are allowed */
  failOn: Kind[];
}

export const HELP = `usage: npm run plan -- --stack STACK [options]

Shows what \`pulumi up\` would do on the host: the changed lines of files, and which unit is restarted, and why.
It runs one ordinary preview and changes nothing.

  --stack STACK        the stack, such as prod
  --out FILE           write the plan as Markdown, for a comment under a pull request
  --html FILE          write it as an HTML page
  --json FILE          write it as JSON
  --link URL           URL of the whole plan, for Markdown that had to be shortened
  --fail-on KINDS      exit with 3 if the plan contains one of these, such as restart,destroy:
                       ${Object.keys(KINDS).join(", ")}
  --config-file FILE   the stack's configuration, if it is not Pulumi.STACK.yaml
  --help               this text

Exit codes: 0 nothing to do, 1 an error, 2 there are changes, 3 there are changes that --fail-on refuses, 4 the host
was not inspected, since it cannot be reached, an operation is in progress there, or drift checking is off: the plan
has the changes of the configuration, and the host's drift is unknown.
docs/plan.md explains what the parts of a plan mean.
`;

/** Parses the command line; undefined for `--help`. */
export function optionsOf(args: readonly string[]): Options | undefined {
  const given = parsed(args, OPTIONS);
  if (given.help) return undefined;
  const { stack, out, html, json, link, "config-file": configFile, "fail-on": failOn } = given;
  if (!stack) throw new UsageError("--stack is missing: name the stack, such as --stack prod");
  const files = [out, html, json].filter((file) => file !== undefined);
  if (files.includes("")) throw new UsageError("--out, --html and --json require a file name");
  if (new Set(files).size < files.length) throw new UsageError("--out, --html and --json require different files");
  if (link !== undefined && !/^https?:\/\/[^\s()<>]+$/.test(link))
    throw new UsageError(`--link ${link} is not an http or https URL`);
  return {
    stack,
    ...(configFile !== undefined && { configFile }),
    ...(out !== undefined && { out }),
    ...(html !== undefined && { html }),
    ...(json !== undefined && { json }),
    ...(link !== undefined && { link }),
    failOn: kinds(failOn),
  };
}

const text = { type: "string" } as const;
const OPTIONS = {
  stack: text,
  out: text,
  html: text,
  json: text,
  link: text,
  "fail-on": text,
  "config-file": text,
  help: { type: "boolean" },
} as const;

function kinds(list: string | undefined): Kind[] {
  if (list === undefined) return [];
  const given = list.split(",").map((kind) => kind.trim());
  const unknown = given.filter((kind) => !Object.hasOwn(KINDS, kind));
  if (unknown.length > 0)
    throw new UsageError(`--fail-on ${unknown.join(",") || '""'}: allowed values are ${Object.keys(KINDS).join(", ")}`);
  return given as Kind[];
}

/** The refused kinds that the plan contains. */
export const refused = (report: Report, failOn: readonly Kind[]): Kind[] =>
  failOn.filter((kind) => KINDS[kind](report));
