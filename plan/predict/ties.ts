// Which units stop or restart together with another one, according to the stack's unit files and Quadlets.
import { QUADLETS } from "../../components/quadlet/quadlet.ts";
import type { Effect } from "./effect.ts";
import { values } from "./unitfile.ts";

/** `unit` is stopped or restarted whenever `with` is. */
export interface Tie {
  unit: string;
  with: string;
  /** The relation in words, such as `part of`. */
  how: string;
}

/** systemd.unit(5): these three propagate stops and restarts; Wants=, After= and WantedBy= do not. */
const KEYS: Record<string, string> = { PartOf: "part of", BindsTo: "bound to", Requires: "requires" };
const SYSTEMD = "/etc/systemd/system";

interface Text {
  path: string;
  content: string;
}

/** Effects that systemd propagates: restarts according to the new unit files, stops according to the old ones. */
export const propagated = (
  direct: readonly Effect[],
  files: { before: readonly Text[]; after: readonly Text[] },
  running: ReadonlySet<string>,
): Effect[] => [
  ...propagate("restart", direct, tiesOf(files.after), running),
  ...propagate("stop", direct, tiesOf(files.before), running),
];

function propagate(
  verb: "restart" | "stop",
  direct: readonly Effect[],
  ties: readonly Tie[],
  running: ReadonlySet<string>,
): Effect[] {
  const leaders = new Set(direct.filter((effect) => effect.verb === verb).map(({ unit }) => unit));
  const tiedTo = (leader: string) => ties.filter((tie) => tie.with === leader && running.has(tie.unit));
  // The set grows during iteration, so effects propagate transitively.
  for (const leader of leaders) for (const { unit } of tiedTo(leader)) leaders.add(unit);
  return [...leaders].flatMap((leader) =>
    tiedTo(leader).map(({ unit, how }) => ({ unit, verb, reason: `${how} ${leader}` })),
  );
}

/** The ties declared in the stack's own files. */
export const tiesOf = (files: readonly Text[]): Tie[] =>
  files.flatMap((file) => {
    const unit = unitOf(file, files);
    if (unit === undefined) return [];
    const keys = Object.entries(KEYS).flatMap(([key, how]) =>
      values(file.content, "Unit", key)
        .flatMap((value) => value.split(/\s+/))
        .map((other) => ({ unit, with: quadletUnit(other, files), how })),
    );
    // Podman's generator adds BindsTo= the pod's unit to a container.
    const pods = values(file.content, "Container", "Pod").map((pod) => ({
      unit,
      with: quadletUnit(pod, files),
      how: "a container of",
    }));
    return [...keys, ...pods];
  });

/** The unit that a file defines or extends; undefined for any other file. */
function unitOf({ path }: Text, files: readonly Text[]): string | undefined {
  const name = path.slice(path.lastIndexOf("/") + 1);
  if (path === `${QUADLETS}/${name}`) return quadletUnit(name, files);
  if (path === `${SYSTEMD}/${name}`) return name;
  return new RegExp(`^${SYSTEMD}/([^/]+)\\.d/[^/]+\\.conf$`).exec(path)?.[1];
}

/** The unit that Podman generates from a Quadlet; other names are returned unchanged. */
function quadletUnit(name: string, files: readonly Text[]): string {
  const [, stem, kind] = /^(.+)\.(container|pod)$/.exec(name) ?? [];
  if (stem === undefined) return name;
  const file = files.find(({ path }) => path === `${QUADLETS}/${name}`);
  const chosen = file && values(file.content, kind === "pod" ? "Pod" : "Container", "ServiceName").at(-1);
  return `${chosen ?? (kind === "pod" ? `${stem}-pod` : stem)}.service`;
}
