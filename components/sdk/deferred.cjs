// Loaded before the program, by Pulumi.yaml. The SDK prepares at each start to serialize functions, which this program
// does not do: it loads TypeScript 3.8 and connects a debugger, which reads every script again. It also loads OpenTelemetry
// without `--tracing`, and source maps of its own files. A third of an operation's processor time goes into that. These
// modules are loaded when a function of them is called instead, for example by a dynamic provider.
const { createRequire, Module } = require("node:module");

const sdk = createRequire(require.resolve("@pulumi/pulumi"));

/** The functions of each module, and those of them that are called at each start and answer without it. */
const DEFERRED = {
  "./runtime/closure/serializeClosure.js": { functions: ["serializeFunction", "serializeFunctionAsync"] },
  "./runtime/closure/codePaths.js": { functions: ["computeCodePaths", "findWorkspaceRoot", "packageArchivePath"] },
  "./runtime/closure/v8Hooks.js": {
    functions: ["getSessionAsync", "getScriptUrl", "isInitializedAsync"],
    without: { isInitializedAsync: async () => {} },
  },
  "./cmd/run/tracing.js": {
    functions: ["start", "stop", "newSpan"],
    without: { newSpan: (name) => sdk("@opentelemetry/api").trace.getTracer("nodejs-runtime").startSpan(name) },
  },
};

function provide(path, exports) {
  require.cache[path] = Object.assign(new Module(path), { filename: path, loaded: true, exports });
}

function defer(path, { functions, without = {} }) {
  const load =
    (name) =>
    (...args) => {
      delete require.cache[path];
      return Object.assign(deferred, require(path))[name](...args);
    };
  const deferred = { ...Object.fromEntries(functions.map((name) => [name, load(name)])), ...without };
  // The SDK's modules are compiled from ES modules, whose importers look for this.
  provide(path, Object.defineProperty(deferred, "__esModule", { value: true }));
}

for (const [module, parts] of Object.entries(DEFERRED)) defer(sdk.resolve(module), parts);
provide(sdk.resolve("source-map-support/register"), {});
