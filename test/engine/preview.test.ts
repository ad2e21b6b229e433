// What `pulumi preview --diff` shows a reviewer, with the engine under test/engine/with and a fake host.
import { afterAll, beforeAll, expect, test } from "vitest";
import { FULL } from "../plan/configurations.ts";
import { TestStack } from "./stack.ts";

const NAME = `preview-test-${process.pid}`;
let stack: TestStack;
beforeAll(async () => {
  stack = await TestStack.create(NAME);
});
afterAll(() => stack.remove());

const up = () => stack.pulumi(["up", "--yes", "--skip-preview", ...stack.options]);

/** The preview of a change, without the values that differ between runs, by resource: their order differs too. */
async function previewOf(change: object): Promise<string[]> {
  await stack.configure({ drift: true, ...change });
  const shown = await stack.pulumi(["preview", "--diff", "--color", "never", ...stack.options]);
  return (
    shown
      .replaceAll(NAME, "STACK")
      .replace(/^ *\[provider=.*\n/gm, "")
      // Progress, which Pulumi prints if nothing happens for a while.
      .replace(/^@ .*\n/gm, "")
      .replaceAll(/(\[id=[\w-]+?)[0-9a-f]{8}\]/g, "$1]")
      .replace(/\d+ unchanged/, "N unchanged")
      .replaceAll(/(--due \w+)\/0\.\d{10}/g, "$1/0.TIME")
      .split(/^(?=Resources:| *[~+ ] \S+: \()/m)
  );
}

test("a state without documents, as from an earlier version, gets them, and no command runs", async () => {
  await stack.configure({ drift: true });
  await up();
  const state = JSON.parse(await stack.pulumi(["stack", "export", "--stack", NAME]));
  const { resources } = state.deployment;
  const earlier = resources.filter(({ type }: { type: string }) => type !== "gatehouse:index:Document");
  expect(earlier.length).toBeLessThan(resources.length);
  state.deployment.resources = earlier;
  await stack.pulumi(["stack", "import", "--stack", NAME], JSON.stringify(state));
  const commands = () => stack.server.asked.filter(({ command }) => command !== "sh -s").length;
  const before = commands();
  expect(before).toBeGreaterThan(15);
  expect(await up()).toContain(`
Resources:
    + ${resources.length - earlier.length} created
    ${earlier.length - 2} unchanged
`);
  expect(commands()).toBe(before);
  await stack.pulumi(["preview", "--expect-no-changes", ...stack.options]);
});

test("a changed line of a file is shown with the file's name", async () => {
  const { work_mem, ...settings } = FULL.postgres.settings;
  const shown = await previewOf({ postgres: { ...FULL.postgres, settings: { ...settings, work_mem: "8MB" } } });
  const above =
    "urn:pulumi:STACK::gatehouse::gatehouse:index:Gatehouse$gatehouse:index:Postgres$gatehouse:index:Release";
  expect(shown.sort()).toEqual(
    [
      "Previewing update (STACK):\n",
      `\
  pulumi:pulumi:Stack: (same)
    [urn=urn:pulumi:STACK::gatehouse::pulumi:pulumi:Stack::gatehouse-STACK]
`,
      `\
    ~ gatehouse:index:Document: (update)
        [urn=${above}$gatehouse:index:Document::gatehouse-postgres-release]
      ~ document: 
            ...
            gatehouse-reload.conf: # Written by gatehouse. These settings take effect with a reload of PostgreSQL.
            gatehouse-reload.conf: password_encryption = 'scram-sha-256'
          - gatehouse-reload.conf: work_mem = '${work_mem}'
          + gatehouse-reload.conf: work_mem = '8MB'
            /etc/postgresql/17/main/pg_hba.conf 0640 root:postgres, reloads postgresql@17-main.service
            pg_hba.conf: # Written by gatehouse. Clients that are not listed are refused.
            ...
`,
      // Pulumi shows the inputs in the state if all changed ones are hidden.
      `\
    ~ command:remote:Command: (update)
        [id=gatehouse-postgres-release]
        [urn=${above}$command:remote:Command::gatehouse-postgres-release]
        addPreviousOutputInEnv: false
        connection            : [secret]
        create                : "gatehouse release postgres --due 0123456789ab/0.TIME"
        delete                : "gatehouse remove postgres --owner gatehouse/STACK/postgres"
        logging               : "stderr"
        stdin                 : "release = \\"postgres\\"\\nowner = \\"gatehouse/STACK/postgres\\"\\nprotocol = 1\\n..."
`,
      "Resources:\n    ~ 2 to update\n    N unchanged\n",
    ].sort(),
  );
});

test("a new release is shown with its files: path, mode, owner and every line", async () => {
  const sites = { ...FULL.caddy.sites, status: { domain: "status.example.org", backend: "127.0.0.1:3001" } };
  const shown = await previewOf({ caddy: { ...FULL.caddy, sites } });
  const above = "urn:pulumi:STACK::gatehouse::gatehouse:index:Gatehouse$gatehouse:index:Caddy$gatehouse:index:Release";
  expect(shown.slice(2).sort()).toEqual(
    [
      `\
    + gatehouse:index:Release: (create)
        [urn=${above}::gatehouse-caddy-site-status]
`,
      `\
        + gatehouse:index:Document: (create)
            [urn=${above}$gatehouse:index:Document::gatehouse-caddy-site-status-release]
            document: "/etc/caddy/sites/status.caddy 0644 root:root, reloads caddy.service\\nstatus.caddy: # Written by gatehouse.\\nstatus.caddy: status.example.org {\\n..."
            files   : {
                /etc/caddy/sites/status.caddy: {
                    content: {
                        01: "# Written by gatehouse."
                        02: "status.example.org {"
                        03: "\\ttls internal"
                        04: "\\troute {"
                        05: "\\t\\t# Removes client headers that a client could forge. This is first, because trusted ones are set below."
                        06: "\\t\\trequest_header -*_*"
                        07: "\\t\\trequest_header -*.*"
                        08: "\\t\\trequest_header -Remote-*"
                        09: "\\t\\trequest_header -X-Remote-*"
                        10: "\\t\\trequest_header -X-Auth-Request-*"
                        11: "\\t\\trequest_header -X-Auth-User*"
                        12: "\\t\\trequest_header -X-Authenticated-*"
                        13: "\\t\\trequest_header -X-WebAuth-*"
                        14: "\\t\\trequest_header -X-Forwarded-User*"
                        15: "\\t\\trequest_header -X-Forwarded-Email*"
                        16: "\\t\\trequest_header -X-Forwarded-Group*"
                        17: "\\t\\trequest_header -X-Forwarded-Preferred*"
                        18: "\\t\\trequest_header -X-Forwarded-Access*"
                        19: "\\t\\trequest_header -Forwarded"
                        20: "\\t\\trequest_header -X-SSL-*"
                        21: "\\t\\trequest_header -SSL-Client-*"
                        22: "\\t\\trequest_header -X-Goog-*"
                        23: "\\t\\trequest_header -Cf-Access-*"
                        24: "\\t\\trequest_header -Tailscale-User-*"
                        25: "\\t\\trequest_header -X-Authentik-*"
                        26: "\\t\\trequest_header X-Real-IP {http.request.remote.host}"
                        27: "\\t\\t# From trusted proxies, if there are any."
                        28: "\\t\\timport ../proxies/client*.caddy"
                        29: "\\t\\t# A client must not remove these again by listing them in Connection."
                        30: "\\t\\trequest_header Connection \`(?i)^.*\\\\b(upgrade)\\\\b.*$|^.*$\` $1"
                        31: "\\t\\thandle {"
                        32: "\\t\\t\\treverse_proxy 127.0.0.1:3001 {"
                        33: "\\t\\t\\t\\timport ../proxies/backend*.caddy"
                        34: "\\t\\t\\t}"
                        35: "\\t\\t}"
                        36: "\\t}"
                        37: "}"
                    }
                    mode   : "0644"
                    owner  : "root:root"
                    reloads: [
                        [0]: "caddy.service"
                    ]
                }
            }
`,
      `\
        + command:remote:Command: (create)
            [urn=${above}$command:remote:Command::gatehouse-caddy-site-status-release]
            addPreviousOutputInEnv: false
            connection            : [secret]
            create                : "gatehouse release site-status --due 0123456789ab/0.TIME"
            delete                : "gatehouse remove site-status --owner gatehouse/STACK/site-status"
            logging               : "stderr"
            stdin                 : "release = \\"site-status\\"\\nowner = \\"gatehouse/STACK/site-status\\"\\nprotocol = 1\\n..."
`,
      "Resources:\n    + 3 to create\n    N unchanged\n",
    ].sort(),
  );
});

test("a new file of a release that exists is shown whole, and an unchanged file is not", async () => {
  const shown = await previewOf({ trustedProxies: ["203.0.113.7/32"] });
  expect(shown.find((block) => block.includes("::gatehouse-caddy-release]") && block.includes("Document"))).toContain(`\
      ~ document: 
            ...
            Caddyfile: # Relative, so that a copy can be validated before it goes live.
            Caddyfile: import sites/*.caddy
          + /etc/caddy/proxies/backend.caddy 0644 root:root, reloads caddy.service
          + backend.caddy: # Written by gatehouse.
          + backend.caddy: # Their headers about the client reach the backend, with their own address appended. Those of other clients are replaced.
          + backend.caddy: trusted_proxies 203.0.113.7/32
          + /etc/caddy/proxies/client.caddy 0644 root:root, reloads caddy.service
          + client.caddy: # Written by gatehouse.
          + client.caddy: @proxied {
          + client.caddy: 	remote_ip 203.0.113.7/32
          + client.caddy: 	header X-Forwarded-For *
          + client.caddy: }
          + client.caddy: # The last address is the one that the proxy itself saw; a client may have sent the addresses before it.
          + client.caddy: request_header @proxied X-Real-IP {http.request.header.X-Forwarded-For}
          + client.caddy: request_header @proxied X-Real-IP \`^(?:.*[,\\s])?([^,\\s]+)\\s*$\` $1
            /etc/systemd/system/caddy.service.d/gatehouse.conf 0644 root:root, restarts caddy.service
            gatehouse.conf: # Written by gatehouse.
            ...
`);
});

test("after a failed change, the next preview still shows it, and after a successful one no longer", async () => {
  const change = { postgres: { ...FULL.postgres, settings: { work_mem: "8MB" } } };
  const changed = /- gatehouse-reload\.conf: work_mem = '4MB'\n +\+ gatehouse-reload\.conf: work_mem = '8MB'/;
  expect((await previewOf(change)).join("")).toMatch(changed);
  stack.failing.add("postgres");
  const { status } = await stack.run("pulumi", [
    "up",
    "--yes",
    "--skip-preview",
    "--non-interactive",
    ...stack.options,
  ]);
  expect(status).not.toBe(0);
  expect((await previewOf(change)).join("")).toMatch(changed);
  stack.failing.clear();
  await up();
  expect((await previewOf(change)).join("")).not.toContain("gatehouse:index:Document");
});
