import { expect, test } from "vitest";
import { HELP, KINDS, optionsOf } from "../../plan/cli/options.ts";

test("the stack is all that must be named", () => {
  expect(optionsOf(["--stack", "prod"])).toEqual({ stack: "prod", failOn: [] });
});

test("everything may be named", () => {
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

test("--help asks for help, whatever else is there", () => {
  expect(optionsOf(["--help"])).toBeUndefined();
  for (const kind of Object.keys(KINDS)) expect(HELP).toContain(kind);
});

test.each([
  ["", "--stack is missing: name the stack, such as --stack prod"],
  ["--stack", "Option '--stack <value>' argument missing; there are --stack, --out"],
  [
    "--stak prod",
    "Unknown option '--stak'; there are --stack, --out, --html, --json, --link, --fail-on, --config-file, --help",
  ],
  ["prod", "Unexpected argument 'prod'"],
  [
    "--stack prod --fail-on boom,restart",
    "--fail-on boom: allowed are restart, reload, start, stop, destroy, repair, data",
  ],
  ["--stack prod --fail-on toString", "--fail-on toString: allowed are"],
  ["--stack prod --fail-on=", '--fail-on "": allowed are'],
  ["--stack prod --out a --html a", "--out, --html and --json need a file each"],
  ["--stack prod --out=", "--out, --html and --json take the name of a file"],
  ["--stack prod --link javascript:alert(1)", "--link javascript:alert(1) is no http or https address"],
])("%j is refused with what is allowed", (args, told) => {
  expect(() => optionsOf(args.split(" ").filter((word) => word !== ""))).toThrow(told);
});
