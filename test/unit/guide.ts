// The examples of docs/service-integration-guide.md, for the tests that compile and preview them.
import { readFileSync } from "node:fs";

const guide = readFileSync(new URL("../../docs/service-integration-guide.md", import.meta.url), "utf8");

/** By the name of the app or release in each example. */
export const EXAMPLES = Object.fromEntries(
  [...guide.matchAll(/^```ts\n(.*?)^```$/gms)].map(([, text = ""]) => [
    /new (?:App|Release)\("(.*?)"/.exec(text)?.[1] ?? "",
    text,
  ]),
);
