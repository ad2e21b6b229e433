// The documents, followed command by command on a host of their own, which the README deploys to. What each block means is
// told in test/documents/blocks.ts. A block that fails may be the fault of one before it, so the first one counts.
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
