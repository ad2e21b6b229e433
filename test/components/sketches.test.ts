// The sketches, which the host records as wanted before anything is applied.
import { createHash } from "node:crypto";
import { expect, test, vi } from "vitest";
import { Admission } from "../../components/host/admission.ts";
import { manifestText } from "../../protocol/manifest.ts";
import { CASES } from "../render/cases.ts";
import { runProgram } from "./program.ts";

const sha256 = (text: string) => createHash("sha256").update(text).digest("hex");

test("each release of the program has a sketch with the configuration in it, unless it is secret", async () => {
  const claimed = vi.spyOn(Admission.prototype, "claim");
  await runProgram({ config: CASES.full as Record<string, unknown> });
  const claims = claimed.mock.calls.flat().filter(({ item }) => item.startsWith("release-"));
  claimed.mockRestore();
  const empty = ({ item, owner = "" }: (typeof claims)[number]) =>
    sha256(manifestText(item.slice("release-".length), owner, false, {}));
  expect(claims.filter((claim) => claim.sketch === empty(claim)).map(({ item }) => item)).toEqual([]);
  const secret = claims.filter(({ sketch }) => sketch === undefined).map(({ item }) => item);
  expect(secret).toEqual(expect.arrayContaining(["release-valkey-gatehouse", "release-authentik-secrets"]));
  expect(secret).not.toContain("release-postgres");
});
