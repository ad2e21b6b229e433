// An application's journal messages and file names reach the operator as plain text.
import { beforeAll, expect, test } from "vitest";
import { Attacked } from "./support/host.ts";

let host: Attacked;
beforeAll(async () => {
  host = await Attacked.host();
});

const ACTS = /[^\P{Cc}\n\t]|[\u202a-\u202e\u2066-\u2069]/u;
const SAYS = String.raw`print('\x1b[2J\x1b]0;pwned\x07 \x9b31m \u202eabc <{%%x%%}> \r gone', flush=True); print('::error::mine', flush=True); raise SystemExit(1)`;

test("a failed up escapes journal lines that would act on the terminal, on Pulumi and on a runner", async () => {
  const { web } = host.apps.settings.apps.evil.containers;
  const before = web.command;
  host.apps.settings.apps.evil.deadline = 15;
  web.command = ["-c", SAYS.replaceAll("%%", "%")];
  const { status, text } = await host.apps.up("--color", "always");
  web.command = before;
  expect(status).not.toBe(0);
  expect(text).toContain(String.raw`\x1b[2J\x1b]0;pwned\x07`);
  expect(text).toContain(String.raw`\u202eabc \x3c{%x%}>`);
  expect(text).not.toMatch(/^\s*::error/m);
  // Without Pulumi's own colours.
  expect(text.replaceAll(/\p{Cc}\[[\d;]*m/gu, "").replaceAll("\r\n", "\n")).not.toMatch(ACTS);
});

test("an ordinary journal is quoted unchanged", async () => {
  const { web } = host.apps.settings.apps.evil.containers;
  const before = web.command;
  web.command = ["-c", "print('the café is closed: 1\\t2', flush=True); raise SystemExit(1)"];
  const { text } = await host.apps.up();
  web.command = before;
  expect(text).toContain("the café is closed: 1\t2");
});

test("a file with control characters in its name and content is escaped by verify, preview, plan and drift", async () => {
  const { lab, stack } = host;
  await lab.sh(
    String.raw`printf '# \033[2J\302\233 \342\200\256 ${"```"}</details> @everyone\r\n' >>/etc/caddy/Caddyfile; touch "/etc/caddy/sites/$(printf 'a\033[31m\nin sync: 8 items')"`,
  );
  try {
    for (const { text } of [
      await lab.try("gatehouse verify"),
      await stack.preview(),
      await stack.plan(),
      await stack.drift(),
    ]) {
      expect(text).not.toMatch(ACTS);
      expect(text).toMatch(/Caddyfile/);
    }
    expect((await lab.try("gatehouse verify")).text).not.toMatch(/^in sync: 8/m);
  } finally {
    await lab.sh(`sed -i '$d' /etc/caddy/Caddyfile; find /etc/caddy/sites -name '*items' -delete`);
  }
});

test("text that looks like a placeholder for a secret of the platform stays text in a file, a variable and a secret", async () => {
  const { web } = host.apps.settings.apps.evil.containers;
  const text = "{{secrets valkey-gatehouse/password}} {{secrets valkey-gatehouse/hash}} <gid of postgres-clients>";
  const before = { ...web };
  Object.assign(web, {
    files: { "/etc/x.conf": text },
    environment: { TEXT: text },
    secrets: { ...web.secrets, text },
  });
  try {
    const { status, text: reported } = await host.apps.up();
    expect([status, reported]).toEqual([0, expect.anything()]);
    const read = `import os; print([open(path).read() for path in ("/etc/x.conf", "/run/secrets/text")] + [os.environ["TEXT"]])`;
    expect(await host.inside("evil", read)).toBe(`['${[text, text, text].join("', '")}']`);
    expect((await host.lab.sh("grep -rlF '{{secrets' /etc/apps")).split("\n").sort()).toEqual([
      "/etc/apps/evil/web.env",
      "/etc/apps/evil/web/etc/x.conf",
    ]);
  } finally {
    host.apps.settings.apps.evil.containers.web = before;
    await host.apps.up();
  }
});
