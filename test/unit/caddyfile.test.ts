// How Caddy would read a site's lines, and where it would see the end of the site.
import { describe, expect, test } from "vitest";
import { directivesOf, faultIn } from "../../components/site/caddyfile.ts";

const written = (text: string) =>
  directivesOf(text).map(({ name, lines }) => [name, lines.map(({ text }) => text).join("\n")]);

describe("directives of a site are accepted unchanged", () => {
  test.each([
    ["nothing", ""],
    ["comments alone", "# }\n  # other.example {"],
    ["a block", "header {\n\tX-A 1\n}"],
    ["an empty block", "file_server {\n}"],
    ["blocks in blocks", "handle /a/* {\n  handle {\n    respond a\n  }\n}"],
    ["braces within quotes", 'respond "{ } }{"'],
    ["braces within backticks", 'respond `{"a": {"b": 1}} }`'],
    ["braces on lines of a quoted text", 'respond "a {\n  b }\n"'],
    ["an escaped quote", 'respond "\\"} {"'],
    ["a brace in a comment", "encode gzip # { not a block"],
    ["a comment in a block", "header {\n# }\nX-A 1\n}"],
    ["placeholders", "header X-Was {http.request.uri}\nredir https://x{uri} 301"],
    ["a word with braces in it", "redir /a{b} /c}d"],
    ["an escaped brace", "respond \\{"],
    ["continued lines", "encode \\\n  gzip \\\n  zstd"],
    ["Windows newlines", "header {\r\n  X-A 1\r\n}\r\nencode gzip\r\n"],
    ["continued Windows lines", "encode \\\r\n gzip\r\n"],
    ["matchers", "@api path /api/*\nrespond @api 204"],
    ["an import", "import /etc/caddy/snippets/common.caddy a b"],
    ["the host's variables", 'header X-Site {$SITE}\nheader X-Env {$ENVIRONMENT:none}\nrespond "{$TEXT:a}"'],
    ["a heredoc", "respond <<HTML\n<style>a { color: red }</style>\nHTML 200"],
    ["a heredoc with a brace in a word", "respond <<HTML\n<b>{</b>}\nHTML"],
    ["two angle brackets and a blank", "respond << 200"],
    ["a hash within a word", "redir /a /b#c"],
    ["a quote within a word", 'header X-A a"b'],
  ])("%s", (_, text) => {
    expect(faultIn(text)).toBeUndefined();
  });
});

describe("directives that would close the site, or open another, are refused", () => {
  const CLOSES = /closes the site itself/;
  const UNCLOSED = /has no matching }/;
  const NO_DIRECTIVE = /expected a directive/;
  const ANOTHER = "}\nother.example {\nrespond hi";
  test.each([
    ["one brace too many", "}", CLOSES],
    ["one after a block", "header {\n}\n}", CLOSES],
    ["one too few", "header {", UNCLOSED],
    ["one too few of two", "handle {\nhandle {\n}", UNCLOSED],
    ["another site", ANOTHER, CLOSES],
    ["another site with Windows newlines", ANOTHER.replaceAll("\n", "\r\n"), CLOSES],
    ["another site behind lone carriage returns", "\r}\r\nother.example {\r\nrespond hi", CLOSES],
    ["another site behind a comment", `# hello\n${ANOTHER}`, CLOSES],
    ["a closing brace in double quotes", '"}"\nother.example "{"\nrespond hi', CLOSES],
    ["a closing brace in backticks", "`}`\nother.example `{`\nrespond hi", CLOSES],
    ["a closing brace behind a word", "respond }", CLOSES],
    ["a closing brace behind an odd blank", "respond hi\n\u00a0}\u2028\nother.example {", CLOSES],
    ["a closing brace behind a continued comment", "respond hi # \\\n}\nother.example {", CLOSES],
    ["a site beside it", "other.example {\nrespond hi\n}", NO_DIRECTIVE],
    ["a site by its port", ":8080 {\nrespond hi\n}", NO_DIRECTIVE],
    ["a site by its scheme", "http://other.example {\nrespond hi\n}", NO_DIRECTIVE],
    ["two sites", "other.example, more.example {\nrespond hi\n}", NO_DIRECTIVE],
    ["a snippet", "(common) {\nrespond hi\n}", NO_DIRECTIVE],
    ["global options", "{\nadmin :2019\n}", NO_DIRECTIVE],
    ["a block without a name", "encode gzip\n{\n}", NO_DIRECTIVE],
    ["a variable with a brace behind it", "{$NOPE:}}\nother.example {\nrespond hi", /variable|closes|without/],
    ["a variable with a brace before it", "respond {{$NOPE}", /without its variable/],
    ["a variable in quotes with a brace behind it", 'respond "{$NOPE}}"', /without its variable/],
    ["a variable whose default opens a block", "respond {$NOPE:{}", /without its variable|variable of the host/],
    ["a variable whose default has another line", "respond {$NOPE:\nx}", /variable of the host/],
    ["a variable that is not closed", "respond {$NOPE", /variable of the host/],
    ["a variable without a name", "respond {$}", /variable of the host/],
    ["a variable before a quote", 'respond {$NOPE}"\nrespond "', /without its variable/],
    ["a variable before a comment", "respond {$NOPE}# {\n", /without its variable/],
    ["a variable behind a backslash", "respond a\\{$NOPE}\nencode gzip", /variable of the host/],
    ["a variable within a heredoc's mark", "respond <{$NOPE}<EOF\nEOF", /without its variable/],
    ["a quote that is not closed", 'respond "hi', /this " has no matching/],
    ["a backtick that is not closed", "respond `hi", /this ` has no matching/],
    ["a quote that an escaped one does not close", 'respond "hi\\"', /this " has no matching/],
    ["a backslash at the end", "encode gzip \\", /backslash/],
    ["a comment with a backslash at the end", "encode gzip # \\", /backslash/],
    ["a heredoc that is not closed", "respond <<EOF\nhi\n", /no line ends/],
    ["a heredoc that has only begun", "respond <<EOF", /no line ends/],
    ["a heredoc that an older Caddy reads as lines", "respond <<EOF\n}\nother.example {\nEOF", /backticks/],
    ["one that opens a block without a name there", "log <<EOF\n{\n}\nEOF", /backticks/],
    ["a heredoc with a quote that stays open there", 'respond <<EOF\n"\nEOF', /this " has no matching/],
    ["a heredoc that is a brace", "respond <<EOF\n}\nEOF", CLOSES],
  ])("%s", (_, text, why) => {
    expect(faultIn(text)).toMatch(why);
  });

  test("the message names the line", () => {
    expect(faultIn("encode gzip\n\nheader {\n}\n  }")).toMatch(/^line 5: /);
  });
});

test("directives are split with their blocks", () => {
  expect(
    written('tls {\n  dns x\n}\n\n# why\nencode gzip # fast\n@a {\n path /a\n}\nrespond @a "two\n\n  lines"'),
  ).toEqual([
    ["tls", "tls {\n  dns x\n}"],
    ["encode", "encode gzip"],
    ["@a", "@a {\n path /a\n}"],
    ["respond", 'respond @a "two\n\n  lines"'],
  ]);
});

test("a line within quotes is not indented", () => {
  expect(directivesOf("respond `a\n  b` {\n  close\n}")[0]?.lines).toEqual([
    { text: "respond `a", kept: false },
    { text: "  b` {", kept: true },
    { text: "  close", kept: false },
    { text: "}", kept: false },
  ]);
});
