// How much of public compose files and Quadlets `npm run import` carries over: `node bench/import-coverage.ts FOLDER...`.
// Each compose file counts once, and each folder of Quadlets once for each app that its containers form.
import { globSync } from "node:fs";
import { dirname, join } from "node:path";
import { importFiles } from "../import/import.ts";

interface Result {
  kind: "compose" | "quadlet";
  reasons: Map<string, number>;
}

/** The same reason for all files, without what only one of them says. */
const general = (what: string, reason: string): string =>
  /has no value in \.env|is not here/.test(reason)
    ? "MISSING: a file or a value that is not in the repository"
    : /merged both/.test(reason)
      ? "FRAGMENT: adds to another file"
      : /moving tag/.test(reason)
        ? "TAG: the image is a moving tag"
        : `${what.replace(/^[^:]*: /, "").replace(/[ .].*/, "")}: ${reason.replace(/expected.*got.*/, "refused by the schema").slice(0, 90)}`;

function measured(kind: Result["kind"], files: string[]): Result | undefined {
  try {
    const { findings } = importFiles(files);
    const reasons = new Map<string, number>();
    for (const { what, reason } of findings.of("lost")) {
      const key = general(what, reason);
      reasons.set(key, (reasons.get(key) ?? 0) + 1);
    }
    return { kind, reasons };
  } catch (error) {
    console.error(`${files[0]}: ${(error as Error).message.split("\n")[0]}`);
    return undefined;
  }
}

const results = process.argv.slice(2).flatMap((folder) => {
  const find = (pattern: string) => globSync(pattern, { cwd: folder }).map((file) => join(folder, file));
  const composed = find("**/*compose*.{yml,yaml}").flatMap((file) => measured("compose", [file]) ?? []);
  const quadlets = Map.groupBy(find("**/*.{container,pod,volume,network}"), dirname);
  const containers = [...quadlets.values()].flatMap((files) =>
    files
      .filter((file) => file.endsWith(".container"))
      .map((file) => [file, ...files.filter((other) => !other.endsWith(".container"))]),
  );
  return [...composed, ...containers.flatMap((files) => measured("quadlet", files) ?? [])];
});

for (const kind of ["compose", "quadlet"] as const) {
  const all = results.filter((result) => result.kind === kind);
  const of = all.filter(({ reasons }) => ![...reasons.keys()].some((key) => key.startsWith("FRAGMENT")));
  const but = (pattern: RegExp) => {
    const whole = of.filter(({ reasons }) => [...reasons.keys()].every((key) => pattern.test(key)));
    return `${whole.length} (${Math.round((100 * whole.length) / of.length)} %)`;
  };
  console.log(`${kind}: ${all.length} files, of which ${all.length - of.length} only add to another one`);
  console.log(`  carried over whole: ${but(/^$/)}`);
  console.log(`  if each image had a version: ${but(/^TAG/)}`);
  console.log(`  and if the files and values that they name were there: ${but(/^(TAG|MISSING)/)}`);
  const files = new Map<string, number>();
  for (const { reasons } of of) for (const key of reasons.keys()) files.set(key, (files.get(key) ?? 0) + 1);
  for (const [reason, count] of [...files].sort(([, a], [, b]) => b - a)) console.log(`  ${count}\t${reason}`);
}
