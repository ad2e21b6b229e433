import { fileURLToPath } from "node:url";
import ts from "typescript";
import { expect, test } from "vitest";
import { EXAMPLES } from "./guide.ts";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));

/** The guide's examples, as if each were a file beside it. */
const examples = new Map(Object.entries(EXAMPLES).map(([app, text]) => [`${ROOT}docs/example-${app}.ts`, text]));

test("the guide's examples are what the compiler accepts", { timeout: 60_000 }, () => {
  const { config } = ts.readConfigFile(`${ROOT}tsconfig.json`, ts.sys.readFile);
  const { options } = ts.parseJsonConfigFileContent(config, ts.sys, ROOT);
  const host = ts.createCompilerHost(options);
  const { readFile, fileExists } = host;
  host.readFile = (path) => examples.get(path) ?? readFile(path);
  host.fileExists = (path) => examples.has(path) || fileExists(path);
  // The package, as it is packed from here.
  options.paths = { gatehouse: [`${ROOT}components/platform/library.ts`] };
  const found = ts.getPreEmitDiagnostics(ts.createProgram([...examples.keys()], options, host));
  expect(found.map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, "\n"))).toEqual([]);
});

test("there is one of each kind, and each fits on a screen", () => {
  expect(Object.keys(EXAMPLES)).toEqual(["grafana", "board", "invoices", "handbook", "exporter"]);
  for (const text of examples.values()) expect(text.split("\n").length).toBeLessThan(40);
});
