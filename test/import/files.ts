// Files to import, in a folder of their own for each test.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { onTestFinished } from "vitest";
import { type Imported, importFiles, type Options } from "../../import/import.ts";

/** Writes files by name, and imports those that are no settings beside others. */
export function imported(files: Record<string, string>, options: Options = {}): Imported {
  const folder = mkdtempSync(join(tmpdir(), "import-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), text);
  }
  const named = Object.keys(files).filter((name) => /^[\w-]+\.(ya?ml|container|pod|volume|network)$/.test(name));
  return importFiles(
    named.map((name) => join(folder, name)),
    options,
  );
}

/** The findings of a kind, as lines without the folder. */
export const lines = ({ findings }: Imported, kind: "lost" | "changed" | "moot"): string[] =>
  findings
    .of(kind)
    .map(({ place, what, reason }) => `${place.file.replace(/.*\//, "")}:${place.line} ${what}: ${reason}`);
