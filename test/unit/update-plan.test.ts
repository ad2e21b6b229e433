// Whether an update plan is made or followed is read from the command line of the CLI.
import { spawnSync } from "node:child_process";
import { expect, test } from "vitest";

const MODULE = JSON.stringify(new URL("../../components/sdk/update-plan.ts", import.meta.url).href);
const ASK = `import(${MODULE}).then(({ usesUpdatePlan }) => console.log(usesUpdatePlan()))`;

/** What a program finds that is run by a language host, which is run by a CLI of this name with these arguments. */
function found(cli: string, args: string[]): string {
  const run = (script: string) =>
    `require("child_process").spawnSync(process.execPath, ["-e", ${JSON.stringify(script)}], { stdio: "inherit" })`;
  const { stdout } = spawnSync(process.execPath, ["-e", run(run(ASK)), "--", ...args], {
    argv0: cli,
    encoding: "utf8",
  });
  return stdout.trim();
}

test.each([
  ["preview", "--save-plan=plan.json"],
  ["preview", "--save-plan", "plan.json"],
  ["up", "--yes", "--plan=plan.json"],
  ["up", "--plan", "plan.json"],
])("pulumi %s %s is one", (...args) => {
  expect(found("/usr/bin/pulumi", args)).toBe("true");
});

test.each([
  ["pulumi", ["preview", "--diff"]],
  ["pulumi", ["up", "--planned=x", "--config-file", "plan.json"]],
  ["make", ["--plan=plan.json"]],
])("%s %j is none", (cli, args) => {
  expect(found(cli, args)).toBe("false");
});
