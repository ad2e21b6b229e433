// `npm run import`: the entry of an app in the configuration, from a compose file or Quadlets.
import { parseArgs } from "node:util";
import { stringify } from "yaml";
import { plain } from "../components/render/plain.ts";
import { type Imported, importFiles } from "./import.ts";

const HELP = `usage: npm run --silent import -- FILE... [options]

Prints the entry of an app for Pulumi.STACK.yaml, from a compose file (with .env beside it) or from Quadlet files
(.container, .pod, .volume, .network). Containers that share a pod or a network are one app. Changes nothing.
What could not be carried over is listed on stderr, with its line and the reason.

  --name NAME   name of the app, if it is not that of the file or its folder
  --native      PostgreSQL, Redis and Valkey of known images become the platform's PostgreSQL and a Valkey of the app
  --help        this text

Exit codes: 0 everything is carried over, 1 an error, 2 something is not.
`;

const WHOLE = 0;
const FAILED = 1;
const PARTLY = 2;

const say = (line: string): void => void process.stderr.write(`${plain(line)}\n`);

function run(args: string[]): number {
  const options = { name: { type: "string" }, native: { type: "boolean" }, help: { type: "boolean" } } as const;
  const { values, positionals } = parseArgs({ args, options, allowPositionals: true });
  if (values.help) {
    process.stdout.write(HELP);
    return WHOLE;
  }
  if (positionals.length === 0) throw new Error("no file is named; `npm run import -- --help` shows the usage");
  const { name, native } = values;
  const imported = importFiles(positionals, { ...(name && { name }), ...(native && { native }) });
  process.stdout.write(plain(stringify({ config: { "gatehouse:apps": imported.apps } }, { lineWidth: 0 })));
  report(imported);
  return imported.findings.of("lost").length > 0 ? PARTLY : WHOLE;
}

const TITLES = {
  lost: "not carried over:",
  changed: "carried over in another form; check each:",
  moot: "left out, since the platform does the same:",
} as const;

function report({ findings, secrets }: Imported): void {
  for (const [kind, title] of Object.entries(TITLES)) {
    const found = findings.of(kind as keyof typeof TITLES);
    if (found.length > 0) say(title);
    for (const { place, what, reason } of found) say(`  ${place.file}:${place.line}: ${what}: ${reason}`);
  }
  const names = Object.entries(secrets).flatMap(([app, all]) => all.map((name) => `["${app}"]["${name}"]`));
  if (names.length > 0) say("secrets to set, each with its value on stdin:");
  for (const name of names) say(`  pulumi config set --secret --path 'gatehouse:appSecrets${name}'`);
}

try {
  process.exitCode = run(process.argv.slice(2));
} catch (error) {
  say((error as Error).message);
  process.exitCode = FAILED;
}
