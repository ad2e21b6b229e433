/** What acts on a terminal in place of being seen: control characters, and what turns the order of letters or hides among them. */
const ACTS =
  /[^\P{Cc}\n\t]|[\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\u{e0000}-\u{e007f}\p{Cs}]/gu;
/** What acts on those who print for us: colours of Pulumi's, where a wrong one ends it, and commands of a runner of workflows. */
const COMMANDS = /<(?=\{%)|^[^\S\n]*:(?=:[A-Za-z])|#(?=#\[)/gm;

/**
 * Words of others, in which nothing acts: an application, an image or a file may say anything. The agent does the same with
 * what it says; another version of it may not.
 */
export const plain = (text: string): string =>
  text.replace(ACTS, escaped).replace(COMMANDS, (found) => found.slice(0, -1) + escaped(found.slice(-1)));

function escaped(character: string): string {
  const digits = (character.codePointAt(0) ?? 0).toString(16);
  if (digits.length <= 2) return `\\x${digits.padStart(2, "0")}`;
  return digits.length <= 4 ? `\\u${digits.padStart(4, "0")}` : `\\U${digits.padStart(8, "0")}`;
}
