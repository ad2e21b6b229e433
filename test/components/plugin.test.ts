// The package for programs in other languages, without an engine: its schema, and the component from the inputs that such
// a program sends. test/engine/plugin.test.ts runs it with an engine.
import { readFileSync, writeFileSync } from "node:fs";
import * as pulumi from "@pulumi/pulumi";
import { RandomPassword } from "@pulumi/random";
import { expect, test } from "vitest";
import type { SettingsInput } from "../../components/config/input.ts";
import { settingsSchema } from "../../components/config/schema.ts";
import type { GatehouseArgs } from "../../components/gatehouse/args.ts";
import { provider } from "../../components/plugin/provider.ts";
import { GATEHOUSE, outputNames, packageSchema } from "../../components/plugin/schema.ts";
import type { Named, Property, Type } from "../../components/plugin/types.ts";
import { CASES } from "../render/cases.ts";
import { HOST_KEY, record, resolved, Secret, SSH_KEY } from "./program.ts";

const FILE = new URL("../../docs/package.schema.json", import.meta.url);
const schema = packageSchema();
const types: Record<string, Named> = schema.types;
const { inputProperties: inputs = {}, properties: outputs = {} } = schema.resources[GATEHOUSE] ?? {};

test("docs/package.schema.json is the schema; `make golden` writes it", () => {
  const text = `${JSON.stringify(schema, null, 2)}\n`;
  if (process.env.UPDATE_GOLDEN === "1") writeFileSync(FILE, text);
  expect(readFileSync(FILE, "utf8")).toBe(text);
});

/** The type with a name. */
const named = ($ref: string): Named | undefined => types[$ref.replace("#/types/", "")];
/** The types in a type, itself included. */
const within = (type: Type): Type[] =>
  [type, type.items, type.additionalProperties, ...(type.oneOf ?? [])].flatMap((one) =>
    one === undefined ? [] : one === type ? [one] : within(one),
  );
const propertiesOf = (type: Named): Property[] => (type.type === "object" ? Object.values(type.properties) : []);

test("it has every argument of a Gatehouse but the facts, which the plugin finds out itself", () => {
  const apart: Record<Exclude<keyof GatehouseArgs, "facts" | keyof SettingsInput>, true> = {
    appSecrets: true,
    registries: true,
  };
  const all = { ...settingsSchema.shape, ...apart };
  expect(Object.keys(inputs).sort()).toEqual(Object.keys(all).sort());
});

test("every type that is referred to is there, and no other", () => {
  const all = [...Object.values(inputs), ...Object.values(outputs), ...Object.values(types).flatMap(propertiesOf)];
  const used = all.flatMap(within).flatMap(({ $ref }) => $ref ?? []);
  expect(used.filter((ref) => !named(ref))).toEqual([]);
  expect(Object.keys(types).filter((token) => !used.includes(`#/types/${token}`))).toEqual([]);
  for (const type of Object.values(types))
    if (type.type === "object")
      expect(Object.keys(type.properties)).toEqual(expect.arrayContaining(type.required ?? []));
});

/** Where a value does not have its type. */
function misfits(value: unknown, type: Type, path: string): string[] {
  if (type.oneOf) return type.oneOf.some((one) => misfits(value, one, path).length === 0) ? [] : [path];
  const table = type.$ref ? named(type.$ref) : undefined;
  if (table?.type === "string") return table.enum.some((one) => one.value === value) ? [] : [path];
  if (table || type.additionalProperties) {
    const known: Record<string, Type> = table?.properties ?? {};
    return Object.entries(value as object).flatMap(([key, inner]) => {
      const expected = type.additionalProperties ?? known[key];
      return expected ? misfits(inner, expected, `${path}.${key}`) : [`${path}.${key}`];
    });
  }
  if (type.items) return (value as unknown[]).flatMap((one) => misfits(one, type.items as Type, path));
  const is = Number.isInteger(value) ? ["integer", "number"] : [typeof value];
  return is.includes(type.type ?? "") ? [] : [path];
}

test.each(Object.entries(CASES))("the configuration %s has the types of the schema", (_, config) => {
  const parts = Object.entries(config as object).flatMap(([key, value]) => misfits(value, inputs[key] as Type, key));
  expect(parts).toEqual([]);
});

test("a value that the schema does not have is found", () => {
  expect(misfits({ port: "22", nickname: "it" }, inputs.host as Type, "host")).toEqual(["host.port", "host.nickname"]);
  expect(misfits({ tls: "none" }, inputs.caddy as Type, "caddy")).toEqual(["caddy.tls"]);
});

const secrets = (properties: Record<string, Property>) =>
  Object.entries(properties).flatMap(([key, { secret }]) => (secret ? [key] : []));
test("secrets are marked as such", () => {
  const part = (name: string) => {
    const type = named(`#/types/gatehouse:index:${name}`);
    return type?.type === "object" ? secrets(type.properties) : undefined;
  };
  expect(["Host", "Authentik", "Backup"].map(part)).toEqual([
    ["privateKey"],
    ["secretEnvironment"],
    ["key", "passphrase"],
  ]);
  expect([secrets(inputs), secrets(outputs)]).toEqual([
    ["appSecrets", "registries"],
    ["logins", "administrator", "recovery"],
  ]);
});

const host = { address: "192.0.2.10", hostKey: HOST_KEY, privateKey: SSH_KEY };
const authentik = { domain: "auth.example.org", version: "2026.8.3" };
const construct = (given: pulumi.Inputs, opts: pulumi.ComponentResourceOptions = {}, type = GATEHOUSE) =>
  provider.construct?.("prod", type, given, opts);

test.each([
  ["plain", { host, authentik }],
  ["a secret in a table", { host: { ...host, privateKey: pulumi.secret(SSH_KEY) }, authentik }],
  ["a secret table", { host: pulumi.secret(host), authentik: pulumi.output(authentik) }],
  ["an Output that decides which resources exist", { host, authentik, drift: pulumi.output(Promise.resolve(false)) }],
])("%s: the platform is declared, and its key stays secret", async (_, given) => {
  let answer: Awaited<ReturnType<typeof construct>>;
  const { resources } = await record({ config: {} }, async () => {
    answer = await construct({ drift: false, ...given });
  });
  const commands = resources.filter(({ type }) => type === "command:remote:Command");
  expect(commands.length).toBeGreaterThan(10);
  for (const { inputs } of commands) expect(inputs.connection).toBeInstanceOf(Secret);
  expect(Object.keys(answer?.state ?? {})).toEqual(outputNames);
  expect(await resolved(pulumi.output(answer?.state.platform.authentik.url))).toBe("https://auth.example.org");
});

test("apps are declared too, with their secrets", async () => {
  const secrets = { password: "configured" };
  const wiki = { containers: { web: { image: "registry.example.org/wiki:1.4.2", port: 8080, secrets } } };
  const appSecrets = pulumi.secret({ wiki: { password: "of-the-wiki" } });
  const { named } = await record({ config: {} }, () =>
    construct({ host, authentik, drift: false, apps: { wiki }, appSecrets }),
  );
  expect(named("release-app-wiki").inputs.stdin).toContain("registry.example.org/wiki:1.4.2");
  expect(named("release-app-wiki-secrets").inputs.stdin).toBeInstanceOf(Secret);
});

test("options that the engine sends empty are not refused, and others are", async () => {
  const empty = {
    customTimeouts: { create: "", update: "" },
    hooks: { beforeCreate: [] },
    ignoreChanges: [],
  } as object;
  await record({ config: {} }, () => construct({ host, authentik, drift: false }, empty));
  const given = { ...empty, customTimeouts: { create: "5m", update: "" } } as object;
  const refused = record({ config: {} }, () => construct({ host, authentik, drift: false }, given));
  await expect(refused).rejects.toThrow("customTimeouts: has no effect on a component");
});

test("an Output that is not known yet is refused where it decides which resources exist", async () => {
  const refused = record({ config: {}, preview: true }, () => {
    const { result } = new RandomPassword("later", { length: 8 });
    return construct({ host, authentik, drift: false, caddy: { sites: result } });
  });
  await expect(refused).rejects.toThrow("caddy.sites: expected a plain value, since it decides which resources exist");
});

test("missing arguments are named, also without a table that they belong to", async () => {
  const refused = record({ config: {} }, () => construct({ drift: false, host: null }));
  await expect(refused).rejects.toThrow(
    /Gatehouse prod is invalid.*\n.*host\.address: .*\n(.*\n)*.*authentik\.domain: /,
  );
});

test("another component is refused", async () => {
  const refused = record({ config: {} }, () => construct({}, {}, "gatehouse:index:Postgres"));
  await expect(refused).rejects.toThrow(
    "the package gatehouse has no gatehouse:index:Postgres, only gatehouse:index:Gatehouse",
  );
});
