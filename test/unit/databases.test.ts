import { expect, test } from "vitest";
import { allotmentFaults, nextFree } from "../../components/valkey/databases.ts";

test("numbers from 1 to the count minus one are valid, in any order", () => {
  expect(allotmentFaults({ a: 15, b: 1, c: 7 }, 16)).toEqual([]);
  expect(allotmentFaults({}, 16)).toEqual([]);
});

test("database 0 is reserved for every application", () => {
  expect(allotmentFaults({ a: 1, b: 0 }, 16)).toEqual([
    { name: "b", fault: "database 0 is reserved; the next free one is 2" },
  ]);
});

test.each([-1, 16, 17])("database %i of 16 does not exist", (number) => {
  expect(allotmentFaults({ a: number }, 16)).toEqual([
    {
      name: "a",
      fault: `database ${number} does not exist: there are 16, numbered from 0 (valkey.databaseCount)`,
    },
  ]);
});

test("a number that is used twice belongs to the first application; each later one gets a message with its name", () => {
  const fault = "database 2 already belongs to a; the next free one is 1";
  expect(allotmentFaults({ a: 2, b: 2, c: 2 }, 16)).toEqual([
    { name: "b", fault },
    { name: "c", fault },
  ]);
});

test.each([
  [{}, 1],
  [{ a: 1 }, 2],
  [{ a: 2 }, 1],
  [{ a: 1, b: 2, c: 4 }, 3],
  [{ a: 0 }, 1],
])("after %j the next free number is %i: the lowest unused one from 1", (databases, free) => {
  expect(nextFree(databases)).toBe(free);
});

test("a hundred applications that always use the next free number never collide", () => {
  const databases: Record<string, number> = {};
  for (let n = 0; n < 100; n++) databases[`app-${n}`] = nextFree(databases);
  expect(allotmentFaults(databases, 101)).toEqual([]);
});
