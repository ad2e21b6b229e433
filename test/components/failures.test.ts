// The program's message about an item that the agent did not apply, from the JSON line in the command's error.
import * as pulumi from "@pulumi/pulumi";
import { expect, test } from "vitest";
import { documentUrl } from "../../components/connection/documents.ts";
import { debian } from "../../components/distribution/debian.ts";
import { explain, explainer } from "../../components/host/failure.ts";
import { Host } from "../../components/host/host.ts";
import { Release } from "../../components/host/release.ts";
import { HOST_KEY, record } from "./program.ts";

const failed = (failure: object) => `Process exited with status 3: running "gatehouse release caddy --due a/1":
  0.1s  check caddy validate
gatehouse: not healthy within the deadline:
    {"failure":{"item":"of an application, and indented"}}
${JSON.stringify({ failure })}
rolled back to generation 2, which is healthy
`;
const FAILURE = {
  verb: "apply",
  item: { kind: "release", name: "caddy" },
  code: 3,
  meaning: "rolled back",
  at: { kind: "probe", name: "caddy answers" },
};

test("a failure names the release, the part that failed, the state of the host, the remedy and the document", () => {
  expect(explain(failed(FAILURE))).toBe(`release caddy failed at probe "caddy answers": rolled back (exit status 3)
The host now: the previous generation, healthy.
Read the failing probe and the lines of the journal, correct the cause, and run \`pulumi up\` again.
More: ${documentUrl("docs/manifest.md#exit-codes")}`);
});

test("a failure of no single part names none", () => {
  const { at: _, ...whole } = FAILURE;
  expect(explain(failed({ ...whole, code: 1, meaning: "refused" }))).toMatch(
    /^release caddy failed: refused \(exit status 1\)\n/,
  );
});

test("a failed removal says nothing of an apply", () => {
  const text = explain(
    failed({ ...FAILURE, verb: "remove", code: 1, meaning: "refused", at: { kind: "unit", name: "caddy.service" } }),
  );
  expect(text).toMatch(
    /^release caddy could not be removed: the removal failed at unit "caddy\.service" \(exit status 1\)\n/,
  );
  expect(text).not.toContain("The host now");
});

test.each([
  ["a host that does not answer", "after 3 failed attempts: dial tcp 192.0.2.10:22: connect: no route to host"],
  ["an unknown meaning", failed({ ...FAILURE, meaning: "postponed" })],
  ["a truncated line", failed(FAILURE).replace(/"at".*/, "")],
])("%s is left to the command's own error", (_, error) => expect(explain(error)).toBeUndefined());

test("the first removal that the agent does not answer names both remedies, and the others add nothing", () => {
  const explained = explainer();
  const silent = "after 3 failed attempts: dial tcp 192.0.2.10:22: connect: no route to host";
  expect(explained(silent, "update")).toBeUndefined();
  expect(explained(silent, "delete")).toBe(`the agent on the host did not answer a removal, for the reason below
Pulumi removes over the connection of the last \`pulumi up\`. If the key, address, user or proxy has changed since: ${documentUrl("docs/operations.md#another-ssh-key-address-user-or-proxy")}
If the host no longer exists, set host.abandoned to true and run \`pulumi destroy --run-program\`: ${documentUrl("docs/operations.md#a-host-that-no-longer-exists")}`);
  expect(explained(silent, "delete")).toBeUndefined();
  expect(explained(failed(FAILURE), "delete")).toBe(explain(failed(FAILURE)));
});

test("control characters of a name are shown, not obeyed", () => {
  expect(explain(failed({ ...FAILURE, at: { kind: "unit", name: "a\u001b[2J.service" } }))).toContain(
    'at unit "a\\x1b[2J.service"',
  );
});

/** The registrations of a program with one release, with a monitor that supports error hooks or does not. */
async function registered(hooks: boolean, preview = false) {
  const names: string[] = [];
  const { resources } = await record({ config: {}, preview }, () => {
    type Register = (request: { getName(): string }, done: (error: null) => void) => void;
    const monitor = (pulumi.runtime as unknown as { getMonitor(): { registerErrorHook?: Register } }).getMonitor();
    if (hooks)
      monitor.registerErrorHook = (request, done) => {
        names.push(request.getName());
        done(null);
      };
    const host = new Host("host", { connection: { address: "192.0.2.10", hostKey: HOST_KEY }, platform: debian });
    new Release("caddy", { host, manifest: {} });
  });
  return { names, resources };
}

test("a host registers one hook, and with mocks, which have none, the same resources", async () => {
  const [engine, mocks] = [await registered(true), await registered(false)];
  expect([engine.names, mocks.names]).toEqual([["gatehouse-failure-host"], []]);
  expect(mocks.resources).toHaveLength(5);
  expect((await registered(true, true)).names, "a preview runs no command").toEqual([]);
  expect(engine.resources).toEqual(mocks.resources);
});

test("a document has the address that the package was published with, else it is the file", () => {
  expect(documentUrl("docs/manifest.md#exit-codes")).toBe(
    new URL("../../docs/manifest.md#exit-codes", import.meta.url).href,
  );
});
