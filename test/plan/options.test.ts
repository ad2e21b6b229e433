import { expect, test } from "vitest";
import { HELP, KINDS, optionsOf } from "../../plan/cli/options.ts";

test("only the stack is required", () => {
  expect(optionsOf(["--stack", "prod"])).toEqual({ stack: "prod", failOn: [] });
});

test("all options may be given", () => {
  const args =
    "--stack prod --out plan.md --html plan.html --json plan.json --link https://ci.example.org/1 --config-file x.yaml --fail-on restart,destroy";
  expect(optionsOf(args.split(" "))).toEqual({
    stack: "prod",
    out: "plan.md",
    html: "plan.html",
    json: "plan.json",
    link: "https://ci.example.org/1",
    configFile: "x.yaml",
    failOn: ["restart", "destroy"],
  });
});

test("--help prints the help, whatever the other options are", () => {
  expect(optionsOf(["--help"])).toBeUndefined();
  for (const kind of Object.keys(KINDS)) expect(HELP).toContain(kind);
});

test.each([
  ["", "--stack is missing: name the stack, such as --stack prod"],
  ["--stack", "Option '--stack <value>' argument missing; valid options: --stack, --out"],
  [
    "--stak prod",
    "Unknown option '--stak'; valid options: --stack, --out, --html, --json, --link, --fail-on, --config-file, --help",
  ],
  ["prod", "Unexpected argument 'prod'"],
  [
    "--stack prod --fail-on boom,restart",
    "--fail-on boom: allowed values are restart, reload, start, stop, destroy, repair, data",
  ],
  ["--stack prod --fail-on toString", "--fail-on toString: allowed values are"],
  ["--stack prod --fail-on=", '--fail-on "": allowed values are'],
  ["--stack prod --out a --html a", "--out, --html and --json require different files"],
  ["--stack prod --out=", "--out, --html and --json require a file name"],
  ["--stack prod --link javascript:alert(1)", "--link javascript:alert(1) is not an http or https URL"],
])("%j is refused with the allowed values", (args, reported) => {
  expect(() => optionsOf(args.split(" ").filter((word) => word !== ""))).toThrow(reported);
});
