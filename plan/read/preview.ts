// Runs Pulumi's own preview, once, and collects what its engine tells.
import { fileURLToPath } from "node:url";
import type { EngineEvent } from "@pulumi/pulumi/automation/index.js";
import { open } from "../../components/sdk/stack.ts";
import { type Preview, previewOf } from "./steps.ts";

const REPOSITORY = fileURLToPath(new URL("../..", import.meta.url));

/** A preview that failed, with what Pulumi says about it. */
export class PreviewError extends Error {}

/**
 * Previews a stack.
 *
 * @param progress told, once each, what is going on.
 * @throws PreviewError
 */
export async function preview(
  stackName: string,
  configFile: string | undefined,
  progress: (line: string) => void,
): Promise<Preview> {
  const events: EngineEvent[] = [];
  let stderr = "";
  try {
    const { project, stack } = await open(stackName, REPOSITORY);
    progress(`preview of ${stackName}`);
    await stack.preview({
      onEvent: (event) => events.push(event),
      onError: (text) => (stderr += text),
      color: "never",
      ...(configFile !== undefined && { configFile }),
    });
    return previewOf(project, stackName, events);
  } catch (error) {
    const told = events.flatMap(({ diagnosticEvent }) =>
      diagnosticEvent?.severity === "error" ? [diagnosticEvent.message.trim()] : [],
    );
    throw new PreviewError([...new Set(told)].join("\n") || stderr.trim() || (error as Error).message);
  }
}
