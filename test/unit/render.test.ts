import { expect, test } from "vitest";
import { render } from "../../components/render/render.ts";
import { variables } from "../../components/render/variables.ts";

const SITE = {
  domain: "a.example.org",
  backend: "127.0.0.1:1",
  tls: "acme",
  closed: [],
  files: undefined,
  stripped: [],
  outer: [],
  inner: [],
};

test("a template is rendered literally: nothing is escaped for HTML, and control lines leave no gap", () => {
  const line = { text: "header X <&'\">", kept: false };
  expect(render("etc/caddy/sites/site.caddy", { ...SITE, inner: [line] })).toMatch(
    /^# Written by gatehouse\.\na\.example\.org \{\n\troute \{\n.*\n\t\t\treverse_proxy 127.0.0.1:1 \{\n.*\n\t\t\t\}\n\t\t\theader X <&'">\n\t\t\}\n\t\}\n\}\n$/s,
  );
});

test("a missing value is an error that names the template, not an empty string", () => {
  for (const view of [{ ...SITE, domain: undefined }, { ...SITE, domain: null }, {}])
    expect(() => render("etc/caddy/sites/site.caddy", view)).toThrow(/^template etc\/caddy\/sites\/site\.caddy: /);
});

test("a variable that only a condition or a branch that is not taken uses has to be in the view too", () => {
  const { files, tls, ...site } = SITE;
  expect(() => render("etc/caddy/sites/site.caddy", site)).toThrow(
    "template etc/caddy/sites/site.caddy: the view has no tls, files",
  );
  expect(render("etc/caddy/sites/site.caddy", { ...site, tls, files })).toContain("a.example.org");
  const line = { text: "header X one" };
  expect(() => render("etc/caddy/sites/site.caddy", { ...SITE, inner: [line] })).toThrow('"kept" is not defined');
  expect(render("etc/caddy/sites/site.caddy", { ...SITE, inner: [{ ...line, kept: undefined }] })).toContain(line.text);
});

test("the variables of a template are those of every branch, without its own names and those of filters", () => {
  const source =
    "{% macro m(p) %}{{ p }}{{ a }}{% endmacro %}{{ m(i) }}{% set s = j %}{{ s }}{% if a %}{{ b.c | f(d) }}{% elif not e == 'x' %}{% for k, v in g %}{{ k }}{{ loop.last }}{{ v[h] }}{% endfor %}{% endif %}";
  expect([...variables(source)].sort()).toEqual(["a", "b", "d", "e", "g", "h", "i", "j"]);
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
