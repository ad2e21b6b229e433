// Splits Caddyfile lines into words, and finds the braces that they open and close, exactly as Caddy's lexer does: a
// `}` that only Caddy recognizes would close the site, and the lines after it could open another one.

/** A fault in the lines of a site. The message contains the line number. */
export class DirectivesFault extends Error {}

/** One directive of a site, including its block. */
export interface Directive {
  name: string;
  /** The words after the name in its first line, up to its block. */
  words: string[];
  /**
   * Its lines as written, without the indentation of the first. `kept`: begins inside quotes, where blanks are
   * significant.
   */
  lines: { text: string; kept: boolean }[];
}

interface Token {
  text: string;
  /** Position in the source. */
  start: number;
  end: number;
  /** Whether it begins a line; a backslash before a line break joins two lines. */
  first: boolean;
}

/**
 * Parses the directives of a site, in order.
 *
 * @throws DirectivesFault if a brace has no counterpart, or a line is not a directive of a site.
 */
export function directivesOf(written: string): Directive[] {
  const source = written.replaceAll("\r\n", "\n");
  refuseVariables(source);
  return grouped(source, tokensOf(source, true));
}

/** The fault in the lines of a site; undefined if there is none. */
export function faultIn(written: string): string | undefined {
  try {
    directivesOf(written);
  } catch (error) {
    if (error instanceof DirectivesFault) return error.message;
    throw error;
  }
  return undefined;
}

const NAME = /^(@\S+|[A-Za-z][\w-]*)$/;

function grouped(source: string, tokens: readonly Token[]): Directive[] {
  const directives: { name: string; tokens: Token[] }[] = [];
  const open: Token[] = [];
  for (const token of tokens) {
    const head = open.length === 0 && (token.first || directives.length === 0);
    // Even in quotes: Caddy only compares the text of a word.
    if (token.text === "}" && open.pop() === undefined)
      throw fault(source, token, "this } closes the site itself, because there is no matching { before it; remove it");
    if (head && !NAME.test(token.text))
      throw fault(
        source,
        token,
        `expected a directive such as \`encode gzip\` or a matcher such as \`@api\`, got ${JSON.stringify(token.text)}; define another site as an entry of its own`,
      );
    if (token.text === "{") open.push(token);
    if (head) directives.push({ name: token.text, tokens: [token] });
    else directives.at(-1)?.tokens.push(token);
  }
  const unclosed = open.at(-1);
  if (unclosed) throw fault(source, unclosed, "this { has no matching }; add one after it");
  for (const { tokens } of directives) refuseHeredoc(source, tokens);
  return directives.map(({ name, tokens }) => ({ name, words: wordsOf(tokens), lines: linesOf(source, tokens) }));
}

function wordsOf([, ...rest]: readonly Token[]): string[] {
  const end = rest.findIndex(({ first, text }) => first || text === "{");
  return rest.slice(0, end < 0 ? undefined : end).map(({ text }) => text);
}

/**
 * Caddy supports heredocs since 2.7. An older version reads their lines like all others; they must not close the site.
 */
function refuseHeredoc(source: string, tokens: readonly Token[]): void {
  const start = tokens[0]?.start ?? 0;
  let depth = 0;
  for (const { text, first } of tokensOf(source.slice(start, tokens.at(-1)?.end), false)) {
    if (text === "{") depth += 1;
    if (text === "}") depth -= 1;
    if (depth < 0 || (first && depth === 1 && text === "{"))
      throw fault(
        source,
        { start },
        "versions of Caddy before 2.7 do not support heredocs and would read a brace in this one as a brace of the site; put the text in backticks",
      );
  }
}

function linesOf(source: string, tokens: readonly Token[]): Directive["lines"] {
  const start = tokens[0]?.start ?? 0;
  const inside = (at: number) => tokens.some((token) => token.start < at && at < token.end);
  let at = start;
  return source
    .slice(start, tokens.at(-1)?.end)
    .split("\n")
    .map((text) => {
      const line = { text, kept: inside(at) };
      at += text.length + 1;
      return line;
    })
    .filter(({ text, kept }) => kept || text.trim() !== "");
}

const fault = (source: string, { start }: Pick<Token, "start">, what: string) =>
  new DirectivesFault(`line ${source.slice(0, start).split("\n").length}: ${what}`);

/** An environment variable, which Caddy substitutes before it splits the text into words. */
const VARIABLE = /\{\$([^}]*)\}/g;

/** A variable may only add characters to a word, whether the host sets it or not: no words, quotes or braces. */
function refuseVariables(source: string): void {
  for (const { 0: found, index } of source.matchAll(/\\?\{\$[^}]*\}?/g))
    if (!/^\{\$\w+(:[^\s{}"`\\#<]*)?\}$/.test(found))
      throw fault(
        source,
        { start: index },
        `expected a variable of the host as {$NAME} or {$NAME:default}, without blanks, quotes, braces or a backslash, got ${JSON.stringify(found)}`,
      );
}

/** If the host does not set the variable, the rest of the word must have no special meaning for Caddy. */
function refuseRest(source: string, word: string, start: number, quoted: boolean): void {
  const rests = [word.replace(VARIABLE, ""), word.replace(VARIABLE, (_, inner: string) => inner.replace(/^\w+:?/, ""))];
  const rest = rests.find((rest) => /^[{}]$/.test(rest) || (!quoted && /^(["`#]|<<)/.test(rest)));
  if (word.search(VARIABLE) >= 0 && rest !== undefined)
    throw fault(source, { start }, `without its variable ${word} is ${rest}, which Caddy would not read as a word`);
}

/** The characters that Go treats as whitespace. */
const BLANK = /[\t\n\v\f\r \u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]/;

/** Follows Caddy's lexer.go step by step, including its quirks. */
function tokensOf(source: string, heredocs: boolean): Token[] {
  const tokens: Token[] = [];
  let text = "";
  let start = -1;
  let first = true;
  let comment = false;
  let escaped = false;
  let quote = "";
  let literal = false;
  const done = (end: number) => {
    refuseRest(source, text, start, quote !== "");
    tokens.push({ text, start, end, first });
    text = "";
    start = -1;
    first = false;
    quote = "";
    literal = false;
  };
  /** Whether the current word is the marker of a heredoc. */
  const marks = () => heredocs && quote === "" && !literal && text.startsWith("<<");
  for (let at = 0; at < source.length; at++) {
    const character = source.charAt(at);
    if (marks() && character !== " ") {
      if (character === "\r") continue;
      if (character !== "\n") {
        text += character;
        continue;
      }
      const marker = text.slice(2);
      const end = /^[\w-]+$/.test(marker) ? source.indexOf(marker, at + 1) : -1;
      if (end < 0) throw fault(source, { start }, `no line ends the heredoc ${text}`);
      text = source.slice(at + 1, end).trim();
      at = end + marker.length - 1;
      quote = "<";
      done(at + 1);
      continue;
    }
    if (!escaped && quote !== "`" && character === "\\") {
      escaped = true;
      if (start < 0 && !comment) start = at;
      continue;
    }
    if (quote !== "") {
      if (quote === '"' && escaped) {
        text += character === '"' ? character : `\\${character}`;
        escaped = false;
      } else if (character === quote) done(at + 1);
      else text += character;
      continue;
    }
    if (BLANK.test(character)) {
      if (character === "\r") continue;
      if (text !== "") done(at);
      if (character !== "\n") continue;
      if (!escaped) first = true;
      escaped = false;
      comment = false;
      start = -1;
      continue;
    }
    if (character === "#" && text === "") comment = true;
    if (comment) continue;
    if (text === "") {
      if (start < 0) start = at;
      if (character === '"' || character === "`") {
        quote = character;
        continue;
      }
    }
    if (escaped) {
      if (heredocs && character === "<") literal = true;
      else text += "\\";
      escaped = false;
    }
    text += character;
  }
  if (quote !== "") throw fault(source, { start }, `this ${quote} has no matching ${quote}; add one after it`);
  if (marks()) throw fault(source, { start }, `no line ends the heredoc ${text}`);
  if (escaped)
    throw fault(
      source,
      { start: source.length },
      "a trailing backslash would join a line that does not belong to the site",
    );
  if (text !== "") done(source.length);
  return tokens;
}
