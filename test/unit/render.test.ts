import { expect, test } from "vitest";
import { render } from "../../components/render/render.ts";

const SITE = { domain: "a.example.org", backend: "127.0.0.1:1", tls: "acme", stripped: [], outer: [], inner: [] };

test("a template is rendered literally: nothing is escaped for HTML, and control lines leave no gap", () => {
  const line = { text: "header X <&'\">", kept: false };
  expect(render("etc/caddy/sites/site.caddy", { ...SITE, inner: [line] })).toMatch(
    /^# Written by gatehouse\.\na\.example\.org \{\n\troute \{\n.*\n\t\t\treverse_proxy 127.0.0.1:1 \{\n.*\n\t\t\t\}\n\t\t\theader X <&'">\n\t\t\}\n\t\}\n\}\n$/s,
  );
});

test("a missing value is an error that names the template, not an empty string", () => {
  for (const view of [{ ...SITE, domain: undefined }, { ...SITE, domain: null }, {}])
    expect(() => render("etc/caddy/sites/site.caddy", view)).toThrow(/^template etc\/caddy\/sites\/site\.caddy: /);
  // Neither where no encoder looks at it.
  expect(() => render("etc/valkey/valkey.conf", {})).toThrow(
    /^template etc\/valkey\/valkey\.conf: .*attempted to output null or undefined value/s,
  );
});

test("a value that the file's grammar cannot represent is an error that names both", () => {
  expect(() => render("etc/authentik/authentik.env", { variables: [["A", "b\nC=d"]] })).toThrow(
    /^template etc\/authentik\/authentik\.env: .*"b\\nC=d" cannot be written into an env file/s,
  );
  expect(render("etc/authentik/authentik.env", { variables: [["A", "b"]] })).toContain("A=b\n");
});

test("a missing template is an error that names it", () => {
  expect(() => render("etc/nothing", {})).toThrow(/^template etc\/nothing: .*not found/s);
});
