"use strict";
// A test fixture standing in for what the Node.js language host does with a policy pack; a difference in behaviour is a
// bug in it. It runs no other plugins.
const { spawn } = require("node:child_process");
const { createRequire } = require("node:module");
const path = require("node:path");
const { createInterface } = require("node:readline");
const grpc = require("@grpc/grpc-js");
const { AnalyzerClient, AnalyzerService } = require("@pulumi/pulumi/proto/analyzer_grpc_pb");
const analyzer = require("@pulumi/pulumi/proto/analyzer_pb");
const lang = require("@pulumi/pulumi/proto/language_pb");
const { start } = require("./provider-host.js");

// A pack expects the stack's configuration in its environment, and the engine tells it only over gRPC. So the engine
// talks to a server here: it waits for the configuration, starts the pack, and hands everything else on to it.
async function runPolicyPack(call) {
  const { request } = call;
  const fail = (details) => call.emit("error", { code: grpc.status.UNKNOWN, details });
  if (request.getKind() !== "analyzer") return fail(`the stand-in runs no ${request.getKind()} plugins`);
  const directory = request.getInfo().getProgramDirectory();
  const say = (stream) => (bytes) => {
    const response = new lang.RunPluginResponse();
    response[`set${stream}`](Buffer.from(bytes));
    call.write(response);
  };

  const configuration = Promise.withResolvers();
  const pack = Promise.withResolvers();
  pack.promise.catch(() => {}); // told to whoever calls, if anybody does
  const handOn = (method) => async (one, callback) => {
    configuration.resolve(undefined);
    try {
      (await pack.promise)[method](one.request, callback);
    } catch (e) {
      callback({ code: grpc.status.UNKNOWN, details: `policy pack not started: ${e.message}` });
    }
  };
  const server = start(
    AnalyzerService,
    {
      ...Object.fromEntries(Object.keys(AnalyzerService).map((method) => [method, handOn(method)])),
      handshake: (_one, callback) => callback(null, new analyzer.AnalyzerHandshakeResponse()),
      configureStack(one, callback) {
        configuration.resolve(one.request);
        callback(null, new analyzer.AnalyzerStackConfigureResponse());
      },
    },
    (port) => say("Stdout")(`${port}\n`),
  );
  call.on("cancelled", () => server.forceShutdown());
  const config = await configuration.promise;

  const run = createRequire(path.join(directory, "_")).resolve("@pulumi/pulumi/cmd/run-policy-pack");
  const child = spawn(process.execPath, [run, ...request.getArgsList(), directory], {
    cwd: directory,
    env: { ...Object.fromEntries(request.getEnvList().map(variable)), ...(config && told(config)) },
    stdio: ["ignore", "pipe", "pipe"],
  });
  call.on("cancelled", () => child.kill());
  child.stderr.on("data", say("Stderr"));
  child.on("close", (code) => {
    pack.reject(new Error("could not read policy pack port"));
    server.forceShutdown();
    if (code) fail(`Program exited with non-zero exit code: ${code}`);
    else call.end();
  });
  const lines = createInterface({ input: child.stdout });
  lines.once("line", (port) => {
    lines.on("line", (line) => say("Stdout")(`${line}\n`));
    const client = new AnalyzerClient(`127.0.0.1:${port}`, grpc.credentials.createInsecure());
    if (!config) return pack.resolve(client);
    client.configureStack(config, (e) => {
      if (e && e.code !== grpc.status.UNIMPLEMENTED) pack.reject(e);
      else pack.resolve(client);
    });
  });
}

const variable = (text) => [text.slice(0, text.indexOf("=")), text.slice(text.indexOf("=") + 1)];

// The names of the secret keys are not among it.
const told = (config) => ({
  PULUMI_NODEJS_ORGANIZATION: config.getOrganization(),
  PULUMI_NODEJS_PROJECT: config.getProject(),
  PULUMI_NODEJS_STACK: config.getStack(),
  PULUMI_NODEJS_DRY_RUN: String(config.getDryRun()),
  PULUMI_CONFIG: JSON.stringify(Object.fromEntries(config.getConfigMap().entries())),
});

module.exports = { runPolicyPack };
