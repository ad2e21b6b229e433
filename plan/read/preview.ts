// Runs one Pulumi preview and collects the engine's events.
import { execFile } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { type EngineEvent, type Stack, StackNotFoundError } from "@pulumi/pulumi/automation/index.js";
import { open } from "../../components/sdk/stack.ts";
import { inspectionSchema } from "../../protocol/inspection.ts";
import { type Preview, previewOf } from "./steps.ts";

const REPOSITORY = fileURLToPath(new URL("../..", import.meta.url));

/** A failed preview, with Pulumi's error message. */
export class PreviewError extends Error {}

/**
 * Previews a stack.
 *
 * @param progress receives each line of progress.
 * @throws PreviewError
 */
export async function preview(
  stackName: string,
  configFile: string | undefined,
  progress: (line: string) => void,
): Promise<Preview> {
  const configuration = resolve(REPOSITORY, configFile ?? `Pulumi.${stackName.split("/").at(-1)}.yaml`);
  if (!existsSync(configuration)) throw new PreviewError(withoutConfiguration(stackName, configuration));
  const events: EngineEvent[] = [];
  const folder = mkdtempSync(join(tmpdir(), "gatehouse-facts-"));
  const file = join(folder, "facts.json");
  let stderr = "";
  let stack: Stack | undefined;
  try {
    const opened = await open(stackName, REPOSITORY, { GATEHOUSE_FACTS: file });
    const { project } = opened;
    stack = opened.stack;
    progress(`preview of ${stackName}`);
    await stack.preview({
      onEvent: (event) => events.push(event),
      onError: (text) => (stderr += text),
      color: "never",
      ...(configFile !== undefined && { configFile }),
    });
    const inspection = existsSync(file) ? inspectionSchema.parse(JSON.parse(readFileSync(file, "utf8"))) : undefined;
    return previewOf(project, stackName, events, inspection);
  } catch (error) {
    const errors = events.flatMap(({ diagnosticEvent }) =>
      diagnosticEvent?.severity === "error" ? [diagnosticEvent.message.trim()] : [],
    );
    const reason = [...new Set(errors)].join("\n") || stderr.trim() || (error as Error).message.trim();
    const large = stack && (await tooLarge(stack, configuration));
    throw new PreviewError([reason, ...hints(error), ...(large ? [large] : [])].join("\n"));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Where `make demo` keeps the configuration of its stack. */
const DEMO = ".state/demo";

function withoutConfiguration(stackName: string, file: string): string {
  const demo = `${DEMO}/Pulumi.${stackName}.yaml`;
  const written = `${file} does not exist, so stack ${stackName} has no configuration: `;
  if (existsSync(join(REPOSITORY, demo)))
    return `${written}the stack of \`make demo\` has its own, and a backend of its own. \`make demo-plan\` plans a change of it; the plan as it is: \`test/engine/with npm run plan -- --stack ${stackName} --config-file ${demo}\`, and its drift likewise, with \`npm run drift\``;
  return `${written}check --stack (\`pulumi stack ls\` lists the stacks), write that file, or name another one with --config-file`;
}

/** What an error of the CLI does not say. */
function* hints(error: unknown): Generator<string> {
  if (error instanceof StackNotFoundError)
    yield "`pulumi whoami --verbose` prints the backend that was searched, and `pulumi stack ls --all` its stacks; `pulumi stack init` creates one.";
}

/** Whether the configuration is too large for a program; undefined if it is not, or if its secrets cannot be decrypted. */
async function tooLarge({ name, workspace }: Stack, configuration: string): Promise<string | undefined> {
  if (statSync(configuration).size * LONGEST_ESCAPE < ONE_VARIABLE) return undefined;
  const args = ["config", "--show-secrets", "--json", "--stack", name, "--config-file", configuration];
  const options = {
    cwd: REPOSITORY,
    env: { ...process.env, ...workspace.envVars },
    maxBuffer: Number.POSITIVE_INFINITY,
  };
  const found = await promisify(execFile)(workspace.pulumiCommand.command, args, options).catch(() => undefined);
  if (!found) return undefined;
  const values = Object.entries<{ value?: string }>(JSON.parse(found.stdout)).map(([key, { value = "" }]) => [
    key,
    value,
  ]);
  const size = sizeOf(Object.fromEntries(values));
  if (size <= ONE_VARIABLE) return undefined;
  return `The configuration has ${Math.round(size / 1024)} KiB, as Pulumi passes it to the program: secrets decrypted, as JSON, in one environment variable, which holds ${ONE_VARIABLE / 1024} KiB. Shorten ${configuration}, for example by moving long directives of Caddy to a file on the host and importing it.`;
}

/** The size of the environment variable, as the CLI writes it: some characters are escaped with six. */
const sizeOf = (configuration: Readonly<Record<string, string>>): number =>
  Buffer.byteLength(`PULUMI_CONFIG=${JSON.stringify(configuration).replace(/[<>&\u2028\u2029]/g, "\\u0000")}\0`);

/** A table is JSON in JSON. */
const LONGEST_ESCAPE = 7;

/** The longest environment variable that Linux passes to a program, in bytes, with its end. */
const ONE_VARIABLE = 128 * 1024;
