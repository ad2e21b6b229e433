// Runs one Pulumi preview and collects the engine's events.
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { type EngineEvent, StackNotFoundError } from "@pulumi/pulumi/automation/index.js";
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
  try {
    const { project, stack } = await open(stackName, REPOSITORY, { GATEHOUSE_FACTS: file });
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
    throw new PreviewError([reason, ...hints(error, configuration)].join("\n"));
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
function* hints(error: unknown, configuration: string): Generator<string> {
  if (error instanceof StackNotFoundError)
    yield "`pulumi whoami --verbose` prints the backend that was searched, and `pulumi stack ls --all` its stacks; `pulumi stack init` creates one.";
  const size = statSync(configuration).size;
  if (size > ONE_VARIABLE)
    yield `${configuration} has ${Math.round(size / 1024)} KiB: Pulumi passes the configuration to the program in one environment variable, which holds ${ONE_VARIABLE / 1024} KiB. Shorten it, for example by moving long directives of Caddy to a file on the host and importing it.`;
}
/** The longest environment variable that Linux passes to a program, in bytes. */
const ONE_VARIABLE = 128 * 1024;
