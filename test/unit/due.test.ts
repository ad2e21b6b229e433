// Due numbers have one format, which the agent reads too (agent/tests/protocol/test_due.py).
import { expect, test } from "vitest";
import { type Due, formatDue, parseDue } from "../../protocol/due.ts";

test.each<[string, Due]>([
  ["1f0c9a7b3d52/2", { machine: "1f0c9a7b3d52", repairs: 2 }],
  ["1f0c9a7b3d52/0.1796028000", { machine: "1f0c9a7b3d52", repairs: 0, resent: 1796028000 }],
])("%s is parsed and formatted", (text, due) => {
  expect(parseDue(text)).toEqual(due);
  expect(formatDue(due)).toBe(text);
});

test.each(["never-asked", "", "a", "a/", "/1", "a/b", "a/1.", "a/1.2.3", "a/1 "])("%j is not one", (text) => {
  expect(parseDue(text)).toBeUndefined();
});
