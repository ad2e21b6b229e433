// examples/server: one program creates a server, which does not answer yet and on which cloud-init works, and the platform on
// it. The server is a host of the lab that the program starts.
import { readdirSync, readFileSync, symlinkSync } from "node:fs";
import { join, resolve } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { Projects } from "../../engine/project.ts";
import { ask } from "../support/client.ts";
import { Lab, run } from "../support/lab.ts";

const ROOT = resolve(import.meta.dirname, "../../..");
const EXAMPLE = join(ROOT, "examples/server");
const NAME = `server-${process.pid}`;
const DOMAIN = "auth.lab.internal";
const NOT_KNOWN = "Not known before the update: host.address, host.hostKey, host.privateKey.";
let projects: Projects;

beforeAll(async () => {
  projects = new Projects("server-test");
  const files = readdirSync(EXAMPLE).filter((name) => /\.ts$|^Pulumi\.yaml$|^lab-server$/.test(name));
  // The project is the package itself, which in other projects is in node_modules.
  const texts = files.map((name) => [
    name,
    readFileSync(join(EXAMPLE, name), "utf8").replace("=./node_modules/gatehouse/", "=./"),
  ]);
  projects.add("examples/server", Object.fromEntries(texts));
  // The program finds the lab as it does in this checkout.
  symlinkSync(join(ROOT, "test"), join(projects.folder, "test"));
  await must("chmod", "+x", "lab-server");
  await must("pulumi", "stack", "init", "dev");
  await must("pulumi", "config", "set", "name", NAME);
  await must("pulumi", "config", "set", "domain", DOMAIN);
});
afterAll(async () => {
  await run(join(ROOT, "test/lab/lab"), ["down", NAME]);
  projects.remove();
});

const execute = (program: string, ...args: string[]) =>
  projects.run("examples/server", program, args, { variables: { LAB_PLATFORM: "stocked" } });
async function must(program: string, ...args: string[]): Promise<string> {
  const { status, text } = await execute(program, ...args);
  expect(status, text).toBe(0);
  return text;
}
const up = (...args: string[]) => must("pulumi", "up", "--yes", "--non-interactive", ...args);

test("a preview without the server says what it cannot know, and shows everything else", async () => {
  const text = await must("pulumi", "preview", "--diff", "--non-interactive");
  expect(text).toContain(`${NOT_KNOWN} It comes from a server or a stack that does not exist yet`);
  expect(text).not.toContain("another stack");
  expect(text).toContain(`${DOMAIN} {`);
  expect((await run(join(ROOT, "test/lab/lab"), ["list"])).text).not.toContain(NAME);
});

test("an update creates the server, waits for it and for its cloud-init, and deploys the platform", async () => {
  await up("--skip-preview");
  const lab = await Lab.at(NAME, "stocked");
  expect((await must("pulumi", "stack", "output", "address")).trim()).toBe(lab.address);
  expect((await ask(lab.address, DOMAIN, "/-/health/live/")).status).toBe(200);
  const finished = await lab.sh(
    'date +%s --date "$(systemctl show --value --property ExecMainExitTimestamp cloud-final)"',
  );
  expect(Number(await lab.sh("stat --format %Y /usr/local/bin/gatehouse"))).toBeGreaterThanOrEqual(Number(finished));
});

test("the next preview inspects the server, and the next update has nothing to do", async () => {
  expect(await must("pulumi", "preview", "--non-interactive")).not.toContain("Not known before the update");
  await up("--expect-no-changes");
});

test("a destroy deletes the server, without removing what is on it before", async () => {
  const text = await must("pulumi", "destroy", "--yes", "--skip-preview", "--non-interactive");
  expect(text).not.toMatch(/gatehouse remove|could not be removed/);
  expect((await run(join(ROOT, "test/lab/lab"), ["list"])).text).not.toContain(NAME);
  expect(JSON.parse(await must("pulumi", "stack", "export")).deployment.resources ?? []).toEqual([]);
});
