// The drift of a host as `npm run drift` prints it, for people and for other programs.
import type { Difference } from "../../protocol/facts.ts";
import { isNotOnHost } from "../read/due.ts";
import { driftIn } from "../read/releases.ts";
import type { Preview } from "../read/steps.ts";
import { bullets, fenced, text } from "../render/markdown.ts";

/** Written as JSON for other programs. Keys may be added within a version, but never renamed or removed. */
export interface Differences {
  schemaVersion: 2;
  project: string;
  stack: string;
  /** Whether the host has drifted at all. */
  drifted: boolean;
  /** The differences by item, such as `release caddy` or `group valkey-clients`. */
  items: { item: string; differences: Difference[] }[];
}

const NEW_HOST: Difference = {
  kind: "other",
  name: "",
  what: "unknown",
  message: "not on the host, which was reinstalled",
  diff: "",
  now: {},
};

export function differencesOf(preview: Preview): Differences {
  const items = preview.steps.flatMap((step) => {
    const differences = isNotOnHost(step, preview) ? [NEW_HOST] : [...driftIn(step, preview)];
    return differences.length > 0 ? [{ item: step.name.replace("-", " "), differences }] : [];
  });
  const { project, stack } = preview;
  return { schemaVersion: 2, project, stack, drifted: items.length > 0, items };
}

const summary = ({ stack, items }: Differences): string => {
  const count = items.reduce((total, { differences }) => total + differences.length, 0);
  if (count === 0) return `${stack}: the host is in sync`;
  return `${stack}: the host has drifted: ${count === 1 ? "1 difference" : `${count} differences`}, reverted by \`pulumi up\``;
};

/** Each diff is indented below its message. */
export const terminal = (found: Differences): string =>
  [
    summary(found),
    ...found.items.flatMap(({ item, differences }) => [
      "",
      item,
      ...differences.flatMap(({ message, diff }) =>
        [message, ...(diff === "" ? [] : diff.split("\n").map(indent))].map(indent),
      ),
    ]),
  ].join("\n");

const indent = (line: string): string => `  ${line}`;

export const markdown = (found: Differences): string =>
  `${[
    `### ${text(summary(found))}`,
    ...found.items.flatMap(({ item, differences }) => [
      `**${text(item)}**`,
      ...differences.map(({ message, diff }) =>
        diff === "" ? bullets([message]) : `${bullets([message])}\n\n${fenced(diff)}`,
      ),
    ]),
  ].join("\n\n")}\n`;
