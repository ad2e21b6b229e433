// Runs the commands of the documents, in order, on a separate host, which the README deploys to.
// test/documents/blocks.ts describes the kinds of blocks. A failure may be caused by an earlier block, so the first
// failure counts.
import { afterAll, beforeAll } from "vitest";
import { TOLD_IN_ORDER } from "../../documents/blocks.ts";
import { Lab } from "../support/lab.ts";
import { Operator } from "../support/operator.ts";

let lab: Lab;
let operator: Operator;

beforeAll(async () => {
  lab = await Lab.create("documents", "2026.8.3", "2026.8.4", "2026.8.5:unhealthy");
  operator = await Operator.of(lab, "auth.example.org");
});
afterAll(async () => {
  operator?.remove();
  await lab?.destroy();
});

for (const document of TOLD_IN_ORDER) Operator.follows(document, () => operator);
