import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { parse } from "smol-toml";
import { beforeAll, describe, expect, test } from "vitest";
import { sealed, type Table, toml } from "../../protocol/document.ts";
import { placeholder } from "../../protocol/placeholder.ts";

// Two readers parse the program's documents here: a TOML library for Node, and the agent's own code with Python's
// tomllib.

const TEXTS: Record<string, string> = {
  empty: "",
  "one line": "Wants=network-online.target",
  "several lines": "[Unit]\nDescription=x\n",
  "no line break at the end": "a\nb",
  "a line break at the start": "\n\na\nb\n",
  "only line breaks": "\n\n\n",
  "double quotes": 'say "yes"\n"twice"\n',
  "single quotes": "it's\n''two''\n",
  "three single quotes": "a\n'''\nb\n",
  "a single quote at the end": "a\nb'",
  "two single quotes at the end": "a\nb''",
  "three double quotes": 'a\n"""\nb\n',
  backslashes: "a\\nb\\\n\\u0041\\\\\n",
  "a backslash at the end": "a\nb\\",
  tabs: "\tserver {\n\t\tlisten\n\t}\n",
  "carriage returns": "a\r\nb\r\n",
  "a lone carriage return": "a\rb\n",
  unicode: "größer 日本語 🚢\nẽ \u2028\u2029\n",
  "a byte order mark": "\ufeffa\nb\n",
  DEL: "a\u007f\nb\n",
  "DEL on one line": "a\u007fb",
  "control characters": "a\u0000\u0001\u001b[31m\n\u001f\n",
  "C1 control characters": "a\u0080\u0085\u009f\nb\n",
  "what looks like TOML": '[[file]]\npath = "/etc/passwd"\n# gatehouse: 3 bytes\n',
  "what looks like a placeholder": "<gid of wiki>",
  "what looks like a placeholder in several lines": "it's\n<gid of wiki> <<uid of a-b> <generation of>\n",
  "what looks like a template": "{{ value }} {% if %} {generation} {{secrets a/b}}\n",
};

const DOCUMENTS: Record<string, Table> = {
  ...Object.fromEntries(Object.entries(TEXTS).map(([name, content]) => [name, { file: [{ content }, { content }] }])),
  "whole numbers": { deadline: 900, negative: -1, largest: Number.MAX_SAFE_INTEGER, zero: 0 },
  booleans: { secret: true, enabled: false },
  "lists of texts": { exec: ["psql", "--set=ON_ERROR_STOP=1", "it's", 'a "b" \\', "a\nb", ""], none: [] },
  "tables after scalars": {
    release: "caddy",
    check: [{ name: "a", exec: ["x"] }],
    unit: [{ name: "b" }],
    refers: ["c"],
  },
  nothing: {},
};

let readByAgent: Record<string, Table>;

beforeAll(() => {
  const documents = Object.entries(DOCUMENTS).map(([name, table]) => [name, sealed(toml(table))]);
  readByAgent = agent(
    `import sys, json
from gatehouse.protocol import document
print(json.dumps({name: document.parse(document.whole(text.encode())) for name, text in json.load(sys.stdin)}))`,
    documents,
  ) as Record<string, Table>;
});

describe.each(Object.keys(DOCUMENTS))("a document with %s", (name) => {
  const table = DOCUMENTS[name] as Table;

  test("is read back unchanged by a TOML library", () => {
    expect(parse(sealed(toml(table)))).toEqual(table);
  });

  test("is read back unchanged by the agent", () => {
    expect(readByAgent[name]).toEqual(table);
  });
});

test("text with several lines is written line by line, so that a preview shows the changed lines", () => {
  expect(toml({ content: "[Unit]\n\tDescription=it's\\n\n" })).toBe(
    "content = '''\n[Unit]\n\tDescription=it's\\n\n'''\n",
  );
});

test("text with several lines that '''...''' cannot contain is escaped on one line", () => {
  expect(toml({ content: "a\n'''\n" })).toBe("content = \"a\\n'''\\n\"\n");
  expect(toml({ content: "a\r\n" })).toBe('content = "a\\r\\n"\n');
});

test("a placeholder of the program differs from text that looks like one", () => {
  const both = `a ${placeholder("gid of wiki")} <gid of wiki>`;
  expect(toml({ both })).toBe('both = "a <gid of wiki> \\u003cgid of wiki>"\n');
  expect(toml({ both: `${both}\n` })).toBe('both = "a <gid of wiki> \\u003cgid of wiki>\\n"\n');
  expect(toml({ one: `a\n${placeholder("gid of wiki")}\n` })).toBe("one = '''\na\n<gid of wiki>\n'''\n");
});

test("an undefined key is omitted, and tables follow the scalars", () => {
  expect(toml({ file: [{ path: "/a" }], deadline: undefined, name: "b" })).toBe(
    'name = "b"\n\n[[file]]\npath = "/a"\n',
  );
});

test.each([1.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 53])(
  "%d is refused: TOML here contains whole numbers",
  (value) => {
    expect(() => toml({ value })).toThrow(`${value} is not a whole number`);
  },
);

test("half a character is refused: UTF-8 cannot represent it", () => {
  expect(() => toml({ value: "a\ud83d" })).toThrow(/^value is not valid Unicode$/);
  expect(() => toml({ row: [{ value: ["a\n\udea2\n"] }] })).toThrow(/^value is not valid Unicode$/);
  expect(toml({ value: "🚢" })).toBe('value = "🚢"\n');
});

test("the closing line counts bytes, not characters", () => {
  expect(sealed('a = "é🚢"\n')).toBe('a = "é🚢"\n# gatehouse: 13 bytes\n');
  expect(sealed('a = "e"\n')).toBe('a = "e"\n# gatehouse: 8 bytes\n');
});

test("the agent accepts a complete document and refuses a truncated one (H1)", () => {
  const document = sealed(toml({ release: "x", file: [{ path: "/é" }, { path: "/b" }], unit: [{ name: "u" }] }));
  const bytes = Buffer.from(document);
  const accepted = agent(
    `import sys, json
from gatehouse.protocol import document
raw = bytes(json.load(sys.stdin))
accepted = []
for n in range(len(raw) + 1):
    try:
        document.whole(raw[:n])
        accepted.append(n)
    except document.Failure:
        pass
print(json.dumps(accepted))`,
    [...bytes],
  );
  // The last byte is the final newline, without which the document is still complete.
  expect(accepted).toEqual([bytes.length - 1, bytes.length]);
});

function agent(program: string, input: unknown): unknown {
  const folder = fileURLToPath(new URL("../../agent/src", import.meta.url));
  const { status, stdout, stderr } = spawnSync("python3", ["-B", "-c", program], {
    input: JSON.stringify(input),
    encoding: "utf8",
    env: { ...process.env, PYTHONPATH: folder },
  });
  if (status !== 0) throw new Error(stderr);
  return JSON.parse(stdout);
}
