// What the program says of an item that the agent did not apply: from the line of JSON in the command's error.
import * as pulumi from "@pulumi/pulumi";
import { afterEach, expect, test, vi } from "vitest";
import { documentUrl } from "../../components/connection/documents.ts";
import { debian } from "../../components/distribution/debian.ts";
import { Host } from "../../components/host/host.ts";
import { Release } from "../../components/host/release.ts";
import { HOST_KEY, record } from "./program.ts";

afterEach(() => vi.restoreAllMocks());

type Registration = (request: { getName(): string }, callback: (error: null) => void) => void;
const monitor = () =>
  (pulumi.runtime as unknown as { getMonitor(): { registerErrorHook?: Registration } }).getMonitor();

const failed = (failure: object) => `Process exited with status 3: running "gatehouse release caddy --due a/1":
  0.1s  check caddy validate
gatehouse: not healthy within the deadline:
    {"failure":{"item":"of an application, and indented"}}
${JSON.stringify({ failure })}
rolled back to generation 2, which is healthy
`;
const FAILURE = {
  item: { kind: "release", name: "caddy" },
  code: 3,
  meaning: "rolled back",
  at: { kind: "probe", name: "caddy answers" },
};

/** What the hook of a host logs, with the resource, and whether it asks for another attempt. */
async function told(...errors: string[]) {
  const log = vi.spyOn(pulumi.log, "error").mockResolvedValue();
  const names: string[] = [];
  let hooks: pulumi.ResourceHookBinding = {};
  const run = await record({ config: {} }, () => {
    monitor().registerErrorHook = (request, callback) => {
      names.push(request.getName());
      callback(null);
    };
    const host = new Host("host", { connection: { address: "192.0.2.10", hostKey: HOST_KEY }, platform: debian });
    new Release("caddy", { host, manifest: {} });
    hooks = host.failures.hooks;
  });
  const [hook] = hooks.onError ?? [];
  const again = await hook?.callback({
    urn: "urn",
    id: "id",
    name: "release-caddy",
    type: "command:remote:Command",
    failedOperation: "update",
    errors,
  });
  const resource = (log.mock.calls[0]?.[1] as { __name?: string } | undefined)?.__name;
  return { names, again, run, resource, message: log.mock.calls[0]?.[0] };
}

test("a failure names the release, the part that failed, the state of the host, the remedy and the document", async () => {
  const { names, again, resource, message } = await told(failed(FAILURE), failed({ ...FAILURE, code: 1 }));
  expect([names, again, resource]).toEqual([["gatehouse-failure-host"], false, "release-caddy"]);
  expect(message).toBe(`release caddy: failed and rolled back, at probe "caddy answers" (exit status 3)
The host now: the previous generation, healthy.
Read the failing probe and the lines of the journal, correct the cause, and run \`pulumi up\` again.
More: ${documentUrl("docs/manifest.md#exit-codes")}`);
});

test("a failure of no single part names none", async () => {
  const { at: _, ...whole } = FAILURE;
  const { message } = await told(failed({ ...whole, code: 1, meaning: "refused" }));
  expect(message).toMatch(/^release caddy: refused, or a preparation failed \(exit status 1\)\n/);
});

test.each([
  ["a host that does not answer", "after 3 failed attempts: dial tcp 192.0.2.10:22: connect: no route to host"],
  ["a meaning that this program does not know", failed({ ...FAILURE, meaning: "postponed" })],
  ["a line that is cut", failed(FAILURE).replace(/"at".*/, "")],
])("%s is left to the command's own error", async (_, error) => {
  expect(await told(error)).toMatchObject({ again: false, message: undefined });
});

test("control characters of a name are shown, not obeyed", async () => {
  const { message } = await told(failed({ ...FAILURE, at: { kind: "unit", name: "a\u001b[2J.service" } }));
  expect(message).toContain('at unit "a\\x1b[2J.service"');
});

test("with mocks that have no hooks the same resources are registered", async () => {
  const { resources } = await record({ config: {} }, () => {
    const host = new Host("host", { connection: { address: "192.0.2.10", hostKey: HOST_KEY }, platform: debian });
    new Release("caddy", { host, manifest: {} });
    expect(host.failures.hooks).toEqual({});
  });
  expect(resources.map(({ name }) => name)).toEqual((await told("")).run.resources.map(({ name }) => name));
});

test("a document has the address that the package was published with, else it is the file", () => {
  expect(documentUrl("docs/manifest.md#exit-codes")).toBe(
    new URL("../../docs/manifest.md#exit-codes", import.meta.url).href,
  );
});
