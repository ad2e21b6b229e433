// The options of a run, which the engine does not pass to a program, are read from the command line of the CLI.
import { spawnSync } from "node:child_process";
import { expect, test } from "vitest";
import { componentAlone } from "../../components/host/run-options.ts";

const MODULE = JSON.stringify(new URL("../../components/sdk/command-line.ts", import.meta.url).href);
const ASK = `import(${MODULE}).then(({ cliArguments }) => console.log(cliArguments("dev").join(" ")))`;

/** The arguments that a program finds that is run by a language host, which is run by a CLI of this name. */
function found(cli: string, args: string[]): string {
  const run = (script: string) =>
    `require("child_process").spawnSync(process.execPath, ["-e", ${JSON.stringify(script)}], { stdio: "inherit" })`;
  const { stdout } = spawnSync(process.execPath, ["-e", run(run(ASK)), "--", ...args], {
    argv0: cli,
    encoding: "utf8",
  });
  return stdout.trim();
}

test("they are those of the process named pulumi that runs the program", () => {
  expect(found("/usr/bin/pulumi", ["up", "--plan", "plan.json"])).toMatch(/ up --plan plan\.json$/);
  expect(found("make", ["up", "--plan", "plan.json"])).toBe("");
});

/** The same, by an inline program that starts two CLIs: for another stack, and for the stack `dev`. */
test("an inline program finds the CLI that it started for the stack", () => {
  const start = (stack: string, option: string) =>
    `spawn(process.execPath, ["-e", "setTimeout(() => {}, 60000)", "--", "${option}", "--stack", "${stack}"], { argv0: "pulumi" })`;
  const script = `const { spawn } = require("node:child_process");
const started = [${start("other", "--replace")}, ${start("organization/shop/dev", "--plan")}];
Promise.all(started.map((one) => new Promise((done) => one.once("spawn", done))))
  .then(() => ${ASK})
  .then(() => started.map((one) => one.kill()));`;
  const { stdout } = spawnSync(process.execPath, ["-e", script], { encoding: "utf8" });
  expect(stdout.trim()).toMatch(/ --plan --stack organization\/shop\/dev$/);
});

const URN = "urn:pulumi:dev::shop::gatehouse:index:Gatehouse$gatehouse:index:Caddy::prod-caddy";
const PATTERN = "urn:pulumi:dev::shop::gatehouse:index:Gatehouse$gatehouse:index:Caddy**::prod-caddy*";
const COMMAND = URN.replace("::prod", "$gatehouse:index:Release$command:remote:Command::prod").concat("-release");

test.each([
  [["--target", URN], "--target"],
  [[`--target=${URN}`], "--target"],
  [["-t", URN], "--target"],
  [["--exclude", URN], "--exclude"],
  [["--replace", URN, "--target", COMMAND], "--replace"],
  [["--target-replace", URN], "--replace"],
])("%j selects a component alone, and the message has the pattern for its items", (args, option) => {
  expect(componentAlone(["up", ...args])).toContain(`use ${option} '${PATTERN}'`);
});

test.each([
  [["--target", PATTERN]],
  [["--target", URN, "--target", COMMAND]],
  [["--target", URN, "--target-dependents"]],
  [["--exclude", URN, "--exclude-dependents"]],
  [["--replace", COMMAND]],
  [["--target", "urn:pulumi:dev::shop::random:index/randomPassword:RandomPassword::gatehouse:index"]],
  [["--message", URN]],
])("%j does not", (args) => {
  expect(componentAlone(["up", ...args])).toBeUndefined();
});

test("the pattern matches the component and its items, as Pulumi reads it, and no other component", () => {
  const quoted = PATTERN.split("**").map((part) =>
    part
      .split("*")
      .map((text) => text.replace(/[$.]/g, "\\$&"))
      .join("[^:]*"),
  );
  const pattern = new RegExp(`^${quoted.join(".*")}$`);
  const others = URN.replace("Caddy::prod-caddy", "Postgres::prod-postgres");
  expect([URN, COMMAND, others].map((urn) => pattern.test(urn))).toEqual([true, true, false]);
});
