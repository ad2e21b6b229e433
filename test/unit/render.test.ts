import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { render } from "../../components/render/render.ts";
import { templates } from "../../components/render/templates.ts";
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

test.each([
  ["the variable of a loop, after the loop", "{% for x in a %}{{ x }}{% endfor %}{% if x %}b{% endif %}", ["a", "x"]],
  ["`loop` outside a loop", "{% for x in a %}{% endfor %}{% if loop.last %}b{% endif %}", ["a", "loop"]],
  [
    "what `loop` does not have",
    "{% for x in a %}{% if loop.lats %}{{ loop.last }}{% endif %}{% endfor %}",
    ["a", "loop.lats"],
  ],
  ["a parameter, after its macro", "{% macro m(p) %}{{ p }}{% endmacro %}{{ m(1) }}{% if p %}b{% endif %}", ["p"]],
  ["a variable before it is set", "{% if s %}b{% endif %}{% set s = 1 %}{{ s }}", ["s"]],
  ["a function", "{% if f(1) %}{{ range(3) }}{% endif %}", ["f"]],
  ["keys of a table and filters are none", "{{ {k: v} | join(w) }}", ["v", "w"]],
])("%s has to be in the view", (_, source, expected) => {
  expect([...variables(source)].sort()).toEqual(expected);
});

test("what every object inherits is no variable of the view", () => {
  const folder = mkdtempSync(join(tmpdir(), "templates-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  writeFileSync(join(folder, "a"), "{% if constructor %}b{% endif %}");
  const template = templates(folder, false);
  expect(() => template("a", {})).toThrow("the view has no constructor");
  expect(template("a", { constructor: "c" })).toBe("b");
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
