import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { render } from "../../components/render/render.ts";
import { templates } from "../../components/render/templates.ts";
import { missing, parsed } from "../../components/render/variables.ts";

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
  expect(() => render("etc/caddy/sites/site.caddy", { ...SITE, inner: [line] })).toThrow("the view has no line.kept");
  expect(render("etc/caddy/sites/site.caddy", { ...SITE, inner: [{ ...line, kept: undefined }] })).toContain(line.text);
});

const lacks = (source: string, view: object = {}) => [...missing(parsed(source), view, () => parsed(""))].sort();

test("the variables of a template are those of every branch, without its own names and those of filters", () => {
  const source =
    "{% macro m(p) %}{{ p }}{{ a }}{% endmacro %}{{ m(i) }}{% set s = j %}{{ s }}{% if a %}{{ b.c | f(d) }}{% elif not e == 'x' %}{% for k, v in g %}{{ k }}{{ loop.last }}{{ v[h] }}{% endfor %}{% endif %}";
  expect(lacks(source)).toEqual(["a", "b", "d", "e", "g", "h", "i", "j"]);
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
  expect(lacks(source)).toEqual(expected);
});

const VIEW = {
  yes: true,
  name: "text",
  port: 443,
  site: { tls: { mode: "acme" }, alias: undefined },
  lines: [{ text: "a", kept: true }, { text: "b" }],
  pairs: [["A", { key: 1 }]],
  table: { one: { value: 1 } },
  none: [],
};
test.each([
  [
    "in a branch that is not taken",
    "{% if not yes %}{{ site.tsl }}{{ site.tls.mdoe }}{% endif %}",
    ["site.tls.mdoe", "site.tsl"],
  ],
  [
    "in an expression that is not evaluated",
    "{{ site.tsl if not yes else name }}{{ yes or site.slt }}",
    ["site.slt", "site.tsl"],
  ],
  [
    "of a text and of a number",
    "{% if name.first %}a{% endif %}{% if port.length %}b{% endif %}",
    ["name.first", "port.length"],
  ],
  [
    "of some elements of a list",
    "{% for line in lines %}{% if line.kept %}{{ line.text }}{% endif %}{% endfor %}",
    ["line.kept"],
  ],
  [
    "of pairs, and of the values of a table",
    "{% for k, v in pairs %}{{ v.kye }}{% endfor %}{% for k, v in table %}{{ v.vlaue }}{% endfor %}",
    ["v.kye", "v.vlaue"],
  ],
  ["of a variable that is set", "{% set tls = site.tls %}{{ tls.mdoe }}", ["tls.mdoe"]],
  [
    "of an argument of a macro",
    "{% macro m(line) %}{% if false %}{{ line.txet }}{% endif %}{% endmacro %}{{ m(lines[0]) }}",
    ["line.txet"],
  ],
  ["of a list", "{{ lines.lenght }}{{ lines.filter }}", ["lines.filter", "lines.lenght"]],
  ["that every object inherits", "{{ site.constructor }}", ["site.constructor"]],
])("a property %s has to be in the view", (_, source, expected) => {
  expect(lacks(source, VIEW)).toEqual(expected);
});

test.each([
  [
    "an existing property, also one that is undefined",
    "{{ site.tls.mode }}{% if site.alias %}{{ site.alias.name }}{% endif %}",
  ],
  [
    "the length of a text or a list, and an element",
    "{{ name.length }}{{ lines.length }}{{ lines[0].text }}{{ name[0] }}",
  ],
  ["a method", '{{ name.replace("a", "b") }}{{ lines.concat(none).length }}'],
  [
    "what an empty list could have, and a key that is known only later",
    "{% for n in none %}{{ n.any }}{% endfor %}{{ site[name] }}",
  ],
  [
    "a test, a filter and a macro that calls itself",
    "{% macro m(a) %}{{ m(a) if a is defined else name | upper }}{% endmacro %}{{ m(1) }}",
  ],
])("%s is not missing", (_, source) => {
  expect(lacks(source, VIEW)).toEqual([]);
});

test("templates that a template includes, extends or imports are part of it", () => {
  const others: Record<string, string> = {
    part: "{{ line.txet }}{{ nmae }}",
    base: "{{ poort }}{% block b %}{% endblock %}",
    macros: "{% macro m(p) %}{{ p }}{{ name }}{% endmacro %}",
  };
  const all = (source: string) => [...missing(parsed(source), VIEW, (name) => parsed(others[name] ?? ""))].sort();
  expect(all('{% for line in lines %}{% include "part" %}{% endfor %}')).toEqual(["line.txet", "nmae"]);
  expect(all('{% extends "base" %}{% block b %}{{ site.tsl }}{% endblock %}')).toEqual(["poort", "site.tsl"]);
  expect(all('{% import "macros" as m %}{{ m.m(1) }}'), "without the context").toEqual(["name"]);
  expect(all('{% from "macros" import m as n with context %}{{ n(1) }}')).toEqual([]);
  expect(() => all("{% include name %}")).toThrow("the name of an included template has to be a literal");
});

test("an included file is checked when a template is rendered", () => {
  const folder = mkdtempSync(join(tmpdir(), "templates-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  writeFileSync(join(folder, "a"), '{% if false %}{% include "b" %}{% endif %}ok');
  writeFileSync(join(folder, "b"), "{{ site.tsl }}");
  const template = templates(folder, false);
  expect(() => template("a", VIEW)).toThrow("the view has no site.tsl");
  expect(template("a", { site: { tsl: 1 } })).toBe("ok");
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
