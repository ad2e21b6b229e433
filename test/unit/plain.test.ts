// Text from other sources is printed as plain text, in the same way as by the agent (agent/tests/output/test_plain.py).
import { expect, test } from "vitest";
import { plain } from "../../components/render/plain.ts";
import { terminal as drift } from "../../plan/cli/differences.ts";
import { fenced, text } from "../../plan/render/markdown.ts";

const HOSTILE = "\x1b[2J\x1b]0;pwned\x07 \x9b31m \r\x08\x00\x7f \u202etxt.exe\u2066 \u2028 \u{e0041}";
const SHOWN = String.raw`\x1b[2J\x1b]0;pwned\x07 \x9b31m \x0d\x08\x00\x7f \u202etxt.exe\u2066 \u2028 \U000e0041`;

test("characters that act on a terminal are escaped", () => {
  expect(plain(HOSTILE)).toBe(SHOWN);
  expect(plain("half a pair \ud83c")).toBe(String.raw`half a pair \ud83c`);
});

test.each([
  "two\nlines\tand a tab",
  "é中文🏠 👩‍👩‍👧 شکریہ",
  String.raw`C:\x1b`,
  "1::2",
  "a < b {% x %}",
  "[::1]:80",
  "# ## #a",
])("%j is unchanged", (words) => {
  expect(plain(words)).toBe(words);
});

test("output cannot contain commands for a CI runner", () => {
  // The CLI panics at an unknown colour.
  expect(plain("a <{%fg 1%}> b <{%x%}>")).toBe(String.raw`a \x3c{%fg 1%}> b \x3c{%x%}>`);
  expect(plain("::error::a\n  ::add-mask::b\nc ::d::")).toBe("\\x3a:error::a\n  \\x3a:add-mask::b\nc ::d::");
  expect(plain("##[group]a")).toBe(String.raw`\x23#[group]a`);
});

test("a comment keeps it on its line, mentions no user and contains nothing that acts", () => {
  expect(fenced(`a\n\`\`\`\r\`\`\`\`\n${HOSTILE}`)).toBe(
    `\`\`\`\`\`diff\na\n\`\`\`\\x0d\`\`\`\`\n${SHOWN}\n\`\`\`\`\``,
  );
  expect(text("@everyone <b>\x1b[1m</b>\n# a")).toBe(String.raw`@<!-- -->everyone &lt;b&gt;\\x1b\[1m&lt;/b&gt; \# a`);
});

test("a report of drift contains only its own lines", () => {
  const edited = {
    kind: "file" as const,
    name: "/srv/x",
    what: "content",
    message: "/srv/\x1b[31m: the content was changed by hand",
    diff: "+a\r+b",
    now: {},
  };
  const found = {
    schemaVersion: 2,
    project: "p",
    stack: "s",
    drifted: true,
    items: [{ item: "release x", differences: [edited] }],
  } as const;
  expect(
    plain(drift({ ...found, items: found.items.map((item) => ({ ...item, differences: [...item.differences] })) })),
  ).not.toMatch(/[^\P{Cc}\n\t]/u);
});
