// The plan as a comment on a pull request.
import { createHash } from "node:crypto";
import { plain } from "../../components/render/plain.ts";
import type { FileChange } from "../predict/files.ts";
import type { ItemChange } from "../report/items.ts";
import type { ReleaseChange, Report } from "../report/report.ts";
import { AGAIN, databaseWords, impactWords, itemWords, releaseWords } from "./words.ts";

export interface MarkdownOptions {
  /** URL of the complete plan, for the note about omitted parts. @default - the note has no link */
  link?: string;
  /** Maximum size in bytes; GitHub accepts 65536 characters. @default 60000 */
  limit?: number;
}

/** The first line, unique to each stack; used to find and update the existing comment. */
export const marker = ({ project, stack }: Pick<Report, "project" | "stack">): string =>
  `<!-- gatehouse plan ${createHash("sha256").update(`${project}/${stack}`).digest("hex").slice(0, 12)} -->`;

/**
 * Renders the plan as GitHub Markdown. If it is too long, whole parts are omitted from the end, with a note:
 * an unclosed fence or `<details>` would swallow the rest of the comment.
 */
export function markdown(report: Report, { link, limit = 60_000 }: MarkdownOptions = {}): string {
  const head = [
    marker(report),
    `### Plan for ${text(report.stack)}: ${report.summary}`,
    ...impact(report),
    ...data(report),
    ...warnings(report),
  ];
  const parts = [...report.releases.filter(({ what }) => what !== "resend").map(release), ...items(report.items)];
  const tail = again(report.releases);
  const rest = (left: number) =>
    `${left} more ${left === 1 ? "part is" : "parts are"} too long for a comment: ${whole(link)}.`;
  const room = limit - size([...head, ...tail, rest(parts.length)]);
  const kept: string[] = [];
  for (const part of parts) {
    if (size([...kept, part]) > room) break;
    kept.push(part);
  }
  const left = parts.length - kept.length;
  return cut([...head, ...kept, ...(left > 0 ? [rest(left)] : []), ...tail].join("\n\n"), limit, whole(link));
}

const size = (parts: readonly string[]) => Buffer.byteLength(parts.join("\n\n")) + 2;
const whole = (link: string | undefined) =>
  link ? `see [the whole plan](${link})` : "see the whole plan, which is an artifact of this run";

/** Truncates a head that is too long by itself, in a stack with very many units; it has no fence and no `<details>`. */
function cut(document: string, limit: number, where: string): string {
  const closed = `${document}\n`;
  if (Buffer.byteLength(closed) <= limit) return closed;
  const end = `\n\nThe rest is too long for a comment: ${where}.\n`;
  const bytes = Buffer.from(document).subarray(0, limit - Buffer.byteLength(end));
  const whole = bytes.toString();
  return `${whole.slice(0, whole.lastIndexOf("\n"))}${end}`;
}

function impact({ units }: Report): string[] {
  const touched = units.filter(({ verb, enabled }) => verb !== "none" || enabled !== undefined);
  const untouched = units.filter((unit) => !touched.includes(unit)).map(({ unit }) => code(unit));
  const rows = touched.map(
    (unit) => `| ${code(unit.unit)} | ${impactWords(unit)} | ${unit.reasons.map(text).join("<br>")} |`,
  );
  return [
    ...(rows.length > 0 ? [["| unit | what happens | why |", "|---|---|---|", ...rows].join("\n")] : []),
    ...(untouched.length > 0 ? [`Nothing happens to ${untouched.join(", ")}.`] : []),
  ];
}

function data({ data, databases }: Report): string[] {
  const lines = [...data, ...databases.map(databaseWords)];
  return lines.length > 0 ? [`Data:\n${bullets(lines)}`] : [];
}

const warnings = ({ warnings }: Report) => (warnings.length > 0 ? [`Warnings:\n${bullets(warnings)}`] : []);

function release(change: ReleaseChange): string {
  const { name, secret, files, notes, drift } = change;
  const body = [
    ...(secret ? ["Its content is secret and never shown."] : []),
    ...drift.map(({ message, diff }) =>
      diff === "" ? bullets([`on the host: ${message}`]) : `${bullets([`on the host: ${message}`])}\n\n${fenced(diff)}`,
    ),
    ...(notes.length > 0 ? [bullets(notes)] : []),
    ...files.map(file),
  ];
  return details(`release <b>${markup(name)}</b>: ${markup(releaseWords(change))}`, body);
}

function file({ path, what, access, accessBefore, diff }: FileChange): string {
  const mode = accessBefore ? `${accessBefore} becomes ${access}` : access;
  const line = `${code(path)} is ${what} (${text(mode)})`;
  return diff === "" ? line : `${line}\n\n${fenced(diff)}`;
}

/** A fenced block that no backticks in the content can close. */
export function fenced(words: string): string {
  const content = plain(words);
  const longest = content.match(/`+/g)?.reduce((most, run) => Math.max(most, run.length), 2) ?? 2;
  const fence = "`".repeat(longest + 1);
  return `${fence}diff\n${content.replace(/\n?$/, "\n")}${fence}`;
}

const items = (changes: readonly ItemChange[]): string[] =>
  changes.length === 0 ? [] : [details("host, packages, groups and accounts", [bullets(changes.map(itemWords))])];

function again(releases: readonly ReleaseChange[]): string[] {
  const names = releases.filter(({ what }) => what === "resend").map(({ name }) => code(name));
  return names.length > 0 ? [`${AGAIN} ${names.join(", ")}.`] : [];
}

const details = (title: string, body: readonly string[]) =>
  [`<details><summary>${title}</summary>`, ...body, "</details>"].join("\n\n");

export const bullets = (lines: readonly string[]) => lines.map((line) => `- ${text(line)}`).join("\n");

/** Escapes text so that it stays on one line or in one table cell, without Markdown, HTML or user mentions. */
export const text = (words: string): string => markup(words).replace(/[\\`*_[\]|~#]/g, "\\$&");

/** Escapes text inside HTML, where Markdown is not parsed. */
const markup = (words: string): string =>
  plain(words.replace(/\s+/g, " "))
    .replace(/&/g, "&amp;")
    .replace(/</g, "&lt;")
    .replace(/>/g, "&gt;")
    .replace(/@(?=\w)/g, "@<!-- -->");

/** A name as inline code, or as text if it contains characters that code cannot show. */
const code = (name: string): string => (/[`|]|[^\S ]/.test(name) ? text(name) : `\`${plain(name)}\``);
