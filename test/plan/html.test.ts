import { beforeAll, describe, expect, test } from "vitest";
import { html } from "../../plan/render/html.ts";
import { reportOf } from "../../plan/report/changes.ts";
import { FULL } from "./configurations.ts";
import { difference, drifted, previewOfChange } from "./program.ts";

const EVIL = `header X-Note "<script>alert('1')</script>&é中文🏠"`;
let page: string;

beforeAll(async () => {
  const sites = { evil: { domain: "evil.example.org", backend: "127.0.0.1:1", directives: EVIL } };
  const to = { ...FULL, caddy: { tls: "internal", sites }, authentik: { ...FULL.authentik, version: "2025.8.5" } };
  page = html(reportOf(await previewOfChange({ from: FULL, to })));
});

test("the page requests nothing and runs nothing", () => {
  expect(page).toContain(`<meta http-equiv="Content-Security-Policy" content="default-src 'none';`);
  expect(page).not.toMatch(/<script|@import|url\(|\bsrc=|\bon\w+=/);
  expect(page.match(/href="[^"]*"/g)).toEqual(['href="data:,"']);
});

test("its content is escaped and complete", () => {
  expect(page).toContain("&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt;&amp;é中文🏠");
  expect(page).toContain('<td>authentik-pod.service</td><td class="verb restart">restart</td>');
  expect(page).toContain('<span class="removed">-Image=ghcr.io/goauthentik/server:2025.8.4</span>');
});

test("a manual change is shown with the host's own diff", async () => {
  const preview = await previewOfChange({ from: FULL, to: FULL });
  const edited = difference(
    "file",
    "/etc/caddy/Caddyfile",
    "content",
    "/etc/caddy/Caddyfile: the content was changed by hand",
    { diff: "--- a\n+++ a\n@@ -1 +1 @@\n-one\n+<two>" },
  );
  const drift = html(reportOf(drifted(preview, { "release-caddy": [edited] })));
  expect(drift).toContain("<p>On the host: /etc/caddy/Caddyfile: the content was changed by hand</p>");
  expect(drift).toContain('<span class="removed">-one</span><span class="added">+&lt;two&gt;</span>');
});

test("no character in it acts or changes the text direction", async () => {
  const preview = await previewOfChange({ from: FULL, to: FULL });
  const edited = difference("file", "/srv/x", "content", "/srv/\x1b[31m\u202e: the content was changed by hand", {
    diff: "--- a\n+++ a\n@@ -1 +1 @@\n-one\n+\x9b2J\r\x07",
  });
  const shown = html(reportOf(drifted(preview, { "release-caddy": [edited] })));
  expect(shown).not.toMatch(/[^\P{Cc}\n\t]|[\u202a-\u202e\u2066-\u2069]/u);
  expect(shown).toContain(String.raw`/srv/\x1b[31m\u202e: the content was changed by hand`);
  expect(shown).toContain(String.raw`+\x9b2J\x0d\x07`);
});

describe("the drawing", () => {
  test("shows who may use which socket, and by which group", () => {
    for (const line of [
      "authentik, postgres-clients",
      "authentik-server.service, postgres-clients",
      "authentik-worker.service, valkey-clients",
      "postgres-clients, /run/postgresql",
      "/run/postgresql, postgresql@17-main.service",
      "valkey-clients, /run/valkey/valkey.sock",
      "/run/valkey/valkey.sock, valkey-server.service",
    ])
      expect(page).toContain(`<title>${line}</title>`);
    expect(page.match(/<path /g)).toHaveLength(10);
  });

  test("marks affected boxes", () => {
    expect(page.match(/<g class="touched restart">/g)).toHaveLength(2);
    expect(page).not.toContain('<path class="added"');
  });

  test("marks access that is removed, and access that is added", async () => {
    const alone = { ...FULL, authentik: { ...FULL.authentik, version: "2026.8.3", valkey: false } };
    const closed = html(reportOf(await previewOfChange({ from: FULL, to: alone })));
    expect(
      closed.match(/<path class="removed"[^>]*><title>authentik[\w.-]*, valkey-clients \(removed\)<\/title>/g),
    ).toHaveLength(3);
    const opened = html(reportOf(await previewOfChange({ from: alone, to: FULL })));
    expect(opened.match(/<path class="added"/g)).toHaveLength(3);
  });
});
