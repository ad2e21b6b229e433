import { describe, expect, test } from "vitest";
import * as grammars from "../../components/render/grammars.ts";

const encoders = { ...grammars };
type Grammar = keyof typeof encoders;

// The value, and its encoded form.
type Rows = readonly (readonly [value: unknown, written: string])[];

const WRITTEN: Record<Grammar, Rows> = {
  unit: [
    ["journald", "journald"],
    [512, "512"],
    [true, "true"],
    ["", ""],
    ['say "yes" \\n', 'say "yes" \\n'],
    ["50%", "50%%"],
    ["%h/%%", "%%h/%%%%"],
    ["münchen €", "münchen €"],
    ["$HOME", "$HOME"],
  ],
  quadlet: [
    [";", ";%i"],
    ["journald", "journald"],
    ["", ""],
    ["50%", "50%%"],
    ["$HOME costs $$", "$$HOME costs $$$$"],
    ["'a \"b\" c'", "'a \"b\" c'"],
  ],
  unitWord: [
    ["A=b", '"A=b"'],
    [" blanks stay ", '" blanks stay "'],
    ['a "b"', '"a \\"b\\""'],
    ["back\\slash\\", '"back\\\\slash\\\\"'],
    ["50%", '"50%%"'],
    ["$HOME", '"$HOME"'],
  ],
  quadletWord: [
    [";", '";%i"'],
    [";;", '";;"'],
    ["--flag", '"--flag"'],
    ['a "b" \\', '"a \\"b\\" \\\\"'],
    ["50% of $HOME", '"50%% of $$HOME"'],
  ],
  envFile: [
    ["/run/postgresql", "/run/postgresql"],
    [5432, "5432"],
    [false, "false"],
    ['"quotes" stay \\ % # $', '"quotes" stay \\ % # $'],
    [" blanks stay ", " blanks stay "],
  ],
  postgresSetting: [
    [200, "'200'"],
    [true, "'true'"],
    ["256MB", "'256MB'"],
    ["it's", "'it''s'"],
    ["C:\\n", "'C:\\\\n'"],
    ["", "''"],
  ],
  hbaName: [
    ["grafana", '"grafana"'],
    ["all", '"all"'],
    ["+group", '"+group"'],
    ['a"b\\', '"a""b\\"'],
  ],
  sqlName: [
    ["grafana", '"grafana"'],
    ['a"; DROP ROLE b; --', '"a""; DROP ROLE b; --"'],
    ["n".repeat(63), `"${"n".repeat(63)}"`],
  ],
  sqlText: [
    ["grafana", "E'grafana'"],
    ["it's", "E'it\\'s'"],
    ["\\'", "E'\\\\\\''"],
  ],
  valkeySetting: [
    ["256mb", '"256mb"'],
    ["", '""'],
    ['a "b" \\', '"a \\"b\\" \\\\"'],
    [0, '"0"'],
  ],
  caddy: [
    ["auth.example.org", "auth.example.org"],
    ["127.0.0.1:9000", "127.0.0.1:9000"],
    ["ops+acme@example.org", "ops+acme@example.org"],
    ["two words", "`two words`"],
    ['a "b" \\', '`a "b" \\`'],
    ["", "``"],
    ["# no comment", "`# no comment`"],
  ],
};

const NAMES: Record<Grammar, string> = {
  unit: "a unit file",
  quadlet: "a unit file",
  unitWord: "a unit file",
  quadletWord: "a unit file",
  envFile: "an env file",
  postgresSetting: "postgresql.conf",
  hbaName: "pg_hba.conf",
  sqlName: "SQL",
  sqlText: "SQL",
  valkeySetting: "valkey.conf",
  caddy: "a Caddyfile",
};

for (const [grammar, rows] of Object.entries(WRITTEN) as [Grammar, Rows][])
  describe(grammar, () => {
    const encode = encoders[grammar];

    test.each(rows)("writes %j as %s", (value, written) => {
      expect(encode(value)).toBe(written);
    });

    test.each([
      ["line\nbreak", "a line feed"],
      ["carriage\rreturn", "a carriage return"],
      ["a\tb", "a tab"],
      ["a\u0000b", "a NUL"],
      ["a\u007fb", "a DEL"],
      ["a\u0085b", "a C1 next line"],
    ])("refuses %j, which contains %s", (value) => {
      expect(() => encode(value)).toThrow(
        new Error(
          `${JSON.stringify(value)} cannot be written into ${NAMES[grammar]}: it contains a line break or another control character`,
        ),
      );
    });

    test.each([
      ["a\ud83d", "half a surrogate pair"],
      ["a\uffff", "a noncharacter"],
      ["a\u{1fffe}", "a noncharacter of another plane"],
    ])("refuses %j, which contains %s", (value) => {
      const refusal = `${JSON.stringify(value)} cannot be written into ${NAMES[grammar]}: it contains a code point that is not a character`;
      expect(() => encode(value)).toThrow(new Error(refusal));
    });

    test.each([
      [undefined, "a undefined"],
      [null, "a null"],
      [{ a: 1 }, "a object"],
      [["a"], "a object"],
    ])("refuses %j, which is not a scalar", (value, called) => {
      expect(() => encode(value)).toThrow(new TypeError(`${called} cannot be written into a file`));
    });
  });

const REFUSED: readonly (readonly [Grammar, string, string])[] = [
  ["unit", "ends with \\", "a trailing backslash would join the next line"],
  ["unit", " before", "leading and trailing blanks would be lost"],
  ["unit", "after ", "leading and trailing blanks would be lost"],
  ["quadlet", "ends with \\", "a trailing backslash would join the next line"],
  ["quadlet", " before", "leading and trailing blanks would be lost"],
  ["quadlet", '"50%', "Podman may remove leading and trailing double quotes, but keeps single quotes"],
  ["quadlet", 'say "yes"', "Podman may remove leading and trailing double quotes, but keeps single quotes"],
  ["quadletWord", "", "Podman reads a command up to its first empty word"],
  ["envFile", "x".repeat(60_001), "Podman only reads lines shorter than 64 KiB"],
  ["hbaName", "/.*", "a leading slash makes it a pattern, even in quotes"],
  ["sqlName", "", "a name has 1 to 63 bytes, this one has 0"],
  ["sqlName", "ü".repeat(32), "a name has 1 to 63 bytes, this one has 64"],
  ["sqlName", "public", "where a role is expected it is a keyword, even in quotes"],
  ["sqlName", "none", "where a role is expected it is a keyword, even in quotes"],
  ["caddy", "{env.SECRET}", "braces and backticks have a special meaning there"],
  ["caddy", "a}", "braces and backticks have a special meaning there"],
  ["caddy", "`raw`", "braces and backticks have a special meaning there"],
];

test.each(REFUSED)("%s refuses %j, because %s", (grammar, value, why) => {
  const shown = value.length > 80 ? `${value.slice(0, 60)}...` : value;
  const refusal = `${JSON.stringify(shown)} cannot be written into ${NAMES[grammar]}: ${why}`;
  expect(() => encoders[grammar](value)).toThrow(new Error(refusal));
});

/**
 * The program's own placeholders: for a secret, for a number from the host, and for the arguments of a check or a copy.
 */
const PLACES = ["{{secrets valkey-gatehouse/hash}}", "<gid of postgres-clients>", "{generation}", "{tree} {dump}"];

test.each((Object.keys(WRITTEN) as Grammar[]).filter((grammar) => grammar !== "caddy"))(
  "%s keeps text that looks like a placeholder of the program",
  (grammar) => {
    for (const place of PLACES) expect(encoders[grammar](place)).toContain(place);
  },
);

test("every encoder has its rows here", () => {
  expect(Object.keys(encoders).sort()).toEqual(Object.keys(WRITTEN).sort());
});
