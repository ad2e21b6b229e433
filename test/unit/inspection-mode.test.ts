import { expect, test } from "vitest";
import { inspectionMode } from "../../components/connection/inspection-mode.ts";

test.each([
  [true, undefined, "on"],
  [true, "", "on"],
  [true, "off", "off"],
  [true, "required", "required"],
  [false, undefined, "off"],
  [false, "off", "off"],
  [false, "required", "required"],
])("configured %s, GATEHOUSE_DRIFT %s: %s", (configured, word, look) => {
  expect(inspectionMode(configured, word)).toBe(look);
});

test("any other value is refused with the allowed ones", () => {
  expect(() => inspectionMode(true, "no")).toThrow(
    'GATEHOUSE_DRIFT is "no"; allowed values are off (do not inspect the host) and required (fail if the host cannot be inspected)',
  );
});
