import { expect, test } from "vitest";
import { hasData, knowsBaseUrl, usesValkey, VERSION } from "../../components/authentik/version.ts";

// The last version before each change and the first one with it, from authentik's release notes.
test.each([
  ["2024.12.5", true, false, false],
  ["2025.2.4", true, false, false],
  ["2025.6.4", true, false, false],
  ["2025.8.0", true, false, false],
  ["2025.8.99", true, false, false],
  ["2025.10.0", false, false, false],
  ["2025.10.3", false, false, false],
  ["2025.12.0", false, true, false],
  ["2026.2.1", false, true, false],
  ["2026.5.6", false, true, false],
  ["2026.8.0", false, true, true],
  ["2026.8.3", false, true, true],
  ["2026.11.0", false, true, true],
  ["2027.2.0", false, true, true],
])("authentik %s: Valkey %s, a folder of data %s, base URL %s", (version, valkey, folder, baseUrl) => {
  expect([usesValkey(version), hasData(version), knowsBaseUrl(version)]).toEqual([valkey, folder, baseUrl]);
});

test.each(["2026.8", "2026.08.3", "2026.8.03", "2026.13.0", "latest", "2026.8.3-rc1", "v2026.8.3", "", "1999.1.1"])(
  "%j is not a version",
  (text) => {
    expect(VERSION.test(text)).toBe(false);
    expect(() => usesValkey(text)).toThrow(`${text} is not a version of authentik such as 2026.8.3`);
  },
);
