// Parts of Pulumi's SDK that gatehouse and its tests rely on although no public type promises them. A test tries each
// part with the installed SDK; its failure names the SDK's version and the files that rely on the part.
import { spawnSync } from "node:child_process";
import { existsSync, globSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join, resolve } from "node:path";
import * as pulumi from "@pulumi/pulumi";
import { LocalWorkspace, Stack } from "@pulumi/pulumi/automation/index.js";
import protocol from "@pulumi/pulumi/proto/engine_pb.js";
import debuggable from "@pulumi/pulumi/runtime/debuggable.js";
import { version } from "@pulumi/pulumi/version.js";
import { expect, test } from "vitest";
import { isConfigSecret } from "../../components/sdk/config-secret.ts";
import { onError } from "../../components/sdk/error-hook.ts";
import { known } from "../../components/sdk/known.ts";
import { legible } from "../../components/sdk/legible.ts";
import { previewOf } from "../../plan/read/steps.ts";
import { placeholder } from "../../protocol/placeholder.ts";
import { record, resolved, Secret, UNKNOWN } from "../components/program.ts";

const ROOT = resolve(import.meta.dirname, "../..");
const SDK = join(createRequire(import.meta.url).resolve("@pulumi/pulumi/package.json"), "..");
const nothing = { newResource: () => ({ id: undefined, state: {} }), call: () => ({}) };

class It extends pulumi.CustomResource {
  declare readonly answer: pulumi.Output<string>;
  constructor(name: string, inputs: pulumi.Inputs = {}, opts?: pulumi.CustomResourceOptions) {
    super("test:index:It", name, { answer: undefined, ...inputs }, opts);
  }
}

/** An Output that is not known yet, as in a preview. */
async function unknown(): Promise<pulumi.Output<string>> {
  await pulumi.runtime.setMocks(nothing, "gatehouse", "test", true);
  return new It("it").answer;
}

/** How many times a method of an object is called while a body runs. */
async function callsOf(holder: object, name: string, body: () => unknown): Promise<number> {
  const original = Reflect.get(holder, name) as (...args: unknown[]) => unknown;
  let calls = 0;
  Reflect.set(holder, name, (...args: unknown[]) => {
    calls++;
    return original(...args);
  });
  try {
    await body();
  } finally {
    Reflect.set(holder, name, original);
  }
  return calls;
}

async function aResource(): Promise<void> {
  await pulumi.runtime.setMocks(nothing, "gatehouse", "test");
  new pulumi.ComponentResource("test:index:It", "it");
  await pulumi.runtime.disconnect();
}

const command = (stdin: unknown) =>
  previewOf("gatehouse", "test", [
    {
      sequence: 0,
      timestamp: 0,
      resourcePreEvent: {
        planning: true,
        metadata: {
          op: "create",
          urn: "urn:pulumi:test::gatehouse::command:remote:Command::release-x",
          type: "command:remote:Command",
          new: { inputs: { create: "gatehouse release x --due 0", stdin }, outputs: {} } as never,
          keys: [],
          logical: true,
          provider: "",
        },
      },
    },
  ]).steps[0]?.new;

/** The result of a script in another process, whose modules are as at the start of a program. */
function started(script: string, ...options: string[]): Record<string, unknown> {
  const text = `const sdk = (path) => require("@pulumi/pulumi/" + path + ".js"), pulumi = sdk("index");
    (async () => {${script}})().then((result) => console.log(JSON.stringify(result)))`;
  const command = ["--no-warnings", ...options, "-e", text];
  const { stdout, stderr } = spawnSync(process.execPath, command, { cwd: ROOT, encoding: "utf8" });
  expect(stderr).toBe("");
  return JSON.parse(stdout);
}

/** The private parts, with the files that rely on each. */
const LEANS: { on: string; by: string[]; try(): unknown }[] = [
  {
    on: "runtime.isConfigSecret() tells which keys of the configuration are encrypted",
    by: ["components/sdk/config-secret.ts"],
    try: () => {
      pulumi.runtime.setAllConfig({ "a:open": "1", "a:kept": "2" }, ["a:kept"]);
      expect([isConfigSecret("a:kept"), isConfigSecret("a:open")]).toEqual([true, false]);
    },
  },
  {
    on: "an Output has promise() and isKnown",
    by: ["components/sdk/known.ts"],
    try: async () => {
      expect(await known(pulumi.output("x"))).toEqual({ value: "x" });
      expect(await known(await unknown())).toBeUndefined();
    },
  },
  {
    on: "apply() takes a second parameter that runs it for unknown values too",
    by: ["components/sdk/legible.ts"],
    try: async () => expect(await known(legible(await unknown(), "gid"))).toEqual({ value: placeholder("gid") }),
  },
  {
    on: "runtime/debuggable.js wraps each promise of a resource, called through its module",
    by: ["components/sdk/quiet.ts"],
    try: async () => expect(await callsOf(debuggable, "debuggablePromise", aResource)).toBeGreaterThan(6),
  },
  {
    on: "the modules that serialize functions and trace are imported by path, and export these functions",
    by: ["components/sdk/deferred.cjs"],
    try: () => {
      const modules = ["runtime/closure/serializeClosure", "runtime/closure/codePaths", "runtime/closure/v8Hooks"];
      const start = `
        const [names, { newSpan }, { isInitializedAsync }] = [
          ${JSON.stringify([...modules, "cmd/run/tracing"])}.map((path) => Object.keys(sdk(path)).sort()),
          sdk("cmd/run/tracing"),
          sdk("runtime/closure/v8Hooks"),
        ];
        newSpan("start").end();
        await isInitializedAsync();
        const unneeded = /typescript|createClosure|normalize-|sdk-trace/;
        const loaded = Object.keys(require.cache).filter((path) => unneeded.test(path)).length;
        const x = 41;
        return { names, loaded, serialized: (await pulumi.runtime.serializeFunction(() => x + 1)).text };`;
      const { loaded, ...same } = started(start);
      expect(loaded).toBeGreaterThan(10);
      expect(started(start, "--require", "./components/sdk/deferred.cjs")).toEqual({ loaded: 0, ...same });
    },
  },
  {
    on: "log.debug is called through its module",
    by: ["components/sdk/quiet.ts"],
    try: async () => expect(await callsOf(pulumi.log, "debug", aResource)).toBeGreaterThan(0),
  },
  {
    on: "what runs a program has each stack trace looked up in source maps, by Error.prepareStackTrace",
    by: ["components/sdk/quiet.ts"],
    try: () => expect(readFileSync(join(SDK, "cmd/run/index.js"), "utf8")).toContain("source-map-support/register"),
  },
  {
    on: "unknown and secret values are marked by these constants on the wire",
    by: ["components/sdk/wire.ts"],
    try: () => {
      const { unknownValue, specialSigKey, specialSecretSig } = pulumi.runtime;
      expect(command("text")).toEqual({ create: expect.any(String), document: "text" });
      expect(command(unknownValue)).toEqual({ create: expect.any(String) });
      expect(command({ [specialSigKey]: specialSecretSig })).toEqual({ create: expect.any(String), secret: true });
    },
  },
  {
    on: "runtime.getMonitor() has registerErrorHook(), except with mocks",
    by: ["components/sdk/error-hook.ts"],
    try: async () => {
      await pulumi.runtime.setMocks(nothing, "gatehouse", "test");
      expect(onError("it", () => "")).toEqual({});
      expect(readFileSync(join(SDK, "proto/resource_grpc_pb.js"), "utf8")).toContain("registerErrorHook: {");
    },
  },
  {
    on: "runtime.getEngine() sends a message with a severity and a URN",
    by: ["components/sdk/error-hook.ts"],
    try: () => {
      expect(pulumi.runtime).toHaveProperty("getEngine");
      expect(readFileSync(join(SDK, "log/index.js"), "utf8")).toContain("engine.log(req, () => {");
      expect(protocol.LogSeverity.ERROR).toBe(3);
      expect(new protocol.LogRequest()).toMatchObject({
        setMessage: expect.any(Function),
        setUrn: expect.any(Function),
      });
    },
  },
  {
    on: "Stack.select() selects by the workspace's selectStack(), and by nothing else",
    by: ["components/sdk/stack.ts"],
    try: async () => {
      const asked: string[] = [];
      const workspace = { selectStack: async (name: string) => void asked.push(name) } as unknown as LocalWorkspace;
      expect((await Stack.select("prod", workspace)).name).toBe("prod");
      expect(asked).toEqual(["prod"]);
      expect(LocalWorkspace.prototype.selectStack).toBeTypeOf("function");
    },
  },
  {
    on: "the monitor sees each registration as registerResource(request, callback), with the request in wire form",
    by: ["test/components/program.ts"],
    try: async () => {
      const { resources, warnings } = await record({ config: {} }, () => {
        const parent = new pulumi.ComponentResource("test:index:Parent", "parent");
        const it = new It("it", { key: pulumi.secret("x") }, { parent });
        pulumi.log.warn("a warning", it);
      });
      expect(resources.map(({ name, parent, inputs }) => [name, parent, inputs])).toEqual([
        ["it", "parent", { key: new Secret("x") }],
        ["parent", undefined, {}],
      ]);
      expect(warnings).toEqual([{ message: "a warning", resource: "it" }]);
      expect(await resolved({ open: pulumi.output(1), kept: pulumi.secret(2), later: await unknown() })).toEqual({
        open: 1,
        kept: new Secret(2),
        later: UNKNOWN,
      });
    },
  },
  {
    on: "cmd/run and cmd/run-policy-pack run a program and a policy pack",
    by: [
      "test/engine/stand-in/pulumi-language-nodejs/main.go",
      "test/engine/stand-in/pulumi-language-nodejs/policy.go",
    ],
    try: () => {
      const run = readFileSync(join(SDK, "cmd/run/index.js"), "utf8");
      for (const option of ["organization", "project", "root-directory", "stack", "parallel", "dry-run", "pwd"])
        expect(run).toContain(`"${option}"`);
      for (const reported of ["PULUMI_CONFIG", "PULUMI_CONFIG_SECRET_KEYS"])
        expect(readFileSync(join(SDK, "runtime/config.js"), "utf8")).toContain(reported);
      expect(run).toContain("UserActionableMessage = 32;");
      expect(existsSync(join(SDK, "cmd/run-policy-pack/index.js"))).toBe(true);
    },
  },
];

test(`@pulumi/pulumi ${version} has all private parts that gatehouse uses`, async () => {
  const changed: string[] = [];
  for (const { on, by, try: attempt } of LEANS)
    try {
      await attempt();
    } catch (error) {
      changed.push(`${on} (${by.join(", ")}): ${(error as Error).message}`);
    }
  await pulumi.runtime.setMocks(nothing, "gatehouse", "test");
  expect(changed, `@pulumi/pulumi ${version} is another one than gatehouse leans on`).toEqual([]);
});

test("private parts of the SDK are used in components/sdk only, and tested above", () => {
  const files = globSync(["index.ts", "{components,plan,policy,protocol}/**/*.{ts,js}"], { cwd: ROOT });
  expect(files.length).toBeGreaterThan(50);
  const reaching = files.filter((file) => {
    const text = readFileSync(join(ROOT, file), "utf8");
    const imported = [...text.matchAll(/"@pulumi\/pulumi\/([^"]+)"/g)].some(
      ([, path]) => path !== "automation/index.js",
    );
    return imported || (/@pulumi\/pulumi/.test(text) && /as unknown as|Reflect\.|workspace\.\w+ = /.test(text));
  });
  expect(reaching).toEqual(expect.arrayContaining(["components/sdk/quiet.ts", "components/sdk/config-secret.ts"]));
  const named = LEANS.flatMap(({ by }) => by);
  expect(reaching.filter((file) => !named.includes(file) || !file.startsWith("components/sdk/"))).toEqual([]);
});
