/**
 * Characters that affect a terminal instead of being displayed: control characters, and invisible ones, such as those
 * that change the text direction.
 */
const ACTS =
  /[^\P{Cc}\n\t]|[\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\u{e0000}-\u{e007f}\p{Cs}]/gu;
/**
 * Markup that affects the programs that print the output: Pulumi's colors, of which an invalid one is fatal, and
 * commands of CI runners.
 */
const COMMANDS = /<(?=\{%)|^[^\S\n]*:(?=:[A-Za-z])|#(?=#\[)/gm;

/**
 * Escapes these characters in text from other sources: an application, an image or a file may contain anything. The
 * agent escapes its own output too, but another version of it may not.
 */
export const plain = (text: string): string =>
  text.replace(ACTS, escaped).replace(COMMANDS, (found) => found.slice(0, -1) + escaped(found.slice(-1)));

function escaped(character: string): string {
  const digits = (character.codePointAt(0) ?? 0).toString(16);
  if (digits.length <= 2) return `\\x${digits.padStart(2, "0")}`;
  return digits.length <= 4 ? `\\u${digits.padStart(4, "0")}` : `\\U${digits.padStart(8, "0")}`;
}
