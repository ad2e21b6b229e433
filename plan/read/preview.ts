// Runs one Pulumi preview and collects the engine's events.
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { EngineEvent } from "@pulumi/pulumi/automation/index.js";
import { inspectionSchema } from "../../components/connection/recorded-facts.ts";
import { open } from "../../components/sdk/stack.ts";
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
    throw new PreviewError([...new Set(errors)].join("\n") || stderr.trim() || (error as Error).message);
  } finally {
    rmSync(folder, { recursive: true });
  }
}
