// Apps from compose files and Quadlets.
import { readCompose } from "./compose/compose.ts";
import type { DraftApp } from "./draft.ts";
import { type AppEntry, entryOf } from "./entry.ts";
import { Findings, type Place } from "./findings.ts";
import { isQuadlet, readQuadlets } from "./quadlet/quadlet.ts";

export interface Imported {
  apps: Record<string, AppEntry>;
  findings: Findings;
  /** Names of secrets whose values have to be set, by app. */
  secrets: Record<string, string[]>;
}

export interface Options {
  /** Name of the app. @default - that of the files */
  name?: string;
  /** Whether databases and caches of known images become the platform's. */
  native?: boolean;
}

/** @throws Error for a file that cannot be read. */
export function importFiles(files: readonly string[], { name, native = false }: Options = {}): Imported {
  const findings = new Findings();
  const quadlets = files.filter(isQuadlet);
  const drafts: DraftApp[] = [
    ...(quadlets.length > 0 ? readQuadlets(quadlets, findings, name) : []),
    ...files.filter((file) => !isQuadlet(file)).map((file) => readCompose(file, findings, name)),
  ];
  const apps: Record<string, AppEntry> = {};
  const secrets: Record<string, string[]> = {};
  for (const draft of drafts) {
    if (apps[draft.name]) {
      const [first] = draft.containers.values();
      first?.lost(
        first.places.get("") as Place,
        "name",
        `another app has the name ${draft.name}: import it alone, with --name`,
      );
      continue;
    }
    apps[draft.name] = entryOf(draft, native);
    secrets[draft.name] = [
      ...new Set(
        [...draft.containers.values()].flatMap(({ entry }) =>
          Object.keys({ ...entry.secretEnvironment, ...entry.secrets }),
        ),
      ),
    ];
  }
  return { apps, findings, secrets };
}
