"use strict";
// A test fixture standing in for the gRPC server inside a real Pulumi provider; a difference in behaviour is a bug in it.
// A provider is { name, version, opensSecrets, resources: { type: handler }, functions: { token: function } }.
const { isDeepStrictEqual } = require("node:util");
const grpc = require("@grpc/grpc-js");
const { Empty } = require("google-protobuf/google/protobuf/empty_pb");
const { Struct } = require("google-protobuf/google/protobuf/struct_pb");
const { EngineClient } = require("@pulumi/pulumi/proto/engine_grpc_pb");
const enginepb = require("@pulumi/pulumi/proto/engine_pb");
const plugin = require("@pulumi/pulumi/proto/plugin_pb");
const { ResourceProviderService } = require("@pulumi/pulumi/proto/provider_grpc_pb");
const pb = require("@pulumi/pulumi/proto/provider_pb");

// How the engine writes a secret and an unknown into a Struct.
const SIGNATURE = "4dabf18193072939515e22adb298388d";
const SECRET = "1b47061264138c4ac30d75fd1eb44270";
const UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9";

const isObject = (v) => v !== null && typeof v === "object" && !Array.isArray(v);
const isAbsent = (v) => v === undefined || v === null;
const isSecret = (v) => isObject(v) && v[SIGNATURE] === SECRET;
const secret = (value) => (isSecret(value) ? value : { [SIGNATURE]: SECRET, value });

// The value with the secrets opened at every depth.
function plain(v) {
  if (isSecret(v)) return plain(v.value);
  if (Array.isArray(v)) return v.map(plain);
  if (isObject(v)) return Object.fromEntries(Object.entries(v).map(([k, x]) => [k, plain(x)]));
  return v;
}

const toStruct = (o) => Struct.fromJavaScript(JSON.parse(JSON.stringify(o))); // JSON drops undefined
const fromStruct = (s) => s?.toJavaScript() ?? {};

// The leaf paths that differ: path -> ADD, DELETE or UPDATE. A secret is one leaf, and becoming a secret is a change.
function diffPaths(a, b, at = "", out = new Map()) {
  const step = (k) => (/^[A-Za-z_$][\w$]*$/.test(k) ? (at ? `.${k}` : k) : `[${JSON.stringify(k)}]`);
  if (isAbsent(a) && isAbsent(b)) return out;
  if (isAbsent(a)) out.set(at, "ADD");
  else if (isAbsent(b)) out.set(at, "DELETE");
  else if (isSecret(a) || isSecret(b)) {
    if (!isDeepStrictEqual(a, b)) out.set(at, "UPDATE");
  } else if (Array.isArray(a) && Array.isArray(b)) {
    for (let i = 0; i < Math.max(a.length, b.length); i++) diffPaths(a[i], b[i], `${at}[${i}]`, out);
  } else if (isObject(a) && isObject(b)) {
    for (const k of new Set([...Object.keys(a), ...Object.keys(b)])) diffPaths(a[k], b[k], at + step(k), out);
  } else if (a !== b) out.set(at, "UPDATE");
  return out;
}

function serve(provider) {
  let engine;
  const attach = (address) => {
    if (address) engine = new EngineClient(address, grpc.credentials.createInsecure());
  };
  attach(process.argv[2]);

  // Log messages are sent before the answer of the call they belong to: the engine drops later ones.
  const unsent = new Set();
  const logger =
    (urn) =>
    (message, severity = "INFO", ephemeral = true) => {
      const request = new enginepb.LogRequest();
      request.setSeverity(enginepb.LogSeverity[severity]);
      request.setMessage(message);
      request.setUrn(urn);
      request.setEphemeral(ephemeral);
      const sent = new Promise((done) => engine.log(request, done));
      unsent.add(sent);
      sent.then(() => unsent.delete(sent));
    };

  const unary = (fn) => async (call, callback) => {
    let error = null;
    let response;
    try {
      response = await fn(call.request);
    } catch (e) {
      error = { code: e.code ?? grpc.status.UNKNOWN, details: e.message };
    }
    await Promise.all(unsent);
    callback(error, response);
  };
  const unimplemented = (what) => Object.assign(new Error(what), { code: grpc.status.UNIMPLEMENTED });

  const handler = (request) => {
    const type = request.getType() || request.getUrn().split("::")[2].split("$").pop();
    const found = provider.resources[type];
    if (!found) throw unimplemented(`the stand-in for the ${provider.name} provider has no resource ${type}`);
    return found;
  };
  const cancelled = new AbortController();
  const context = (request, preview) => {
    const timeout = request.getTimeout();
    return {
      preview,
      name: request.getName() || request.getUrn().split("::").pop(),
      log: logger(request.getUrn()),
      signal: AbortSignal.any([cancelled.signal, ...(timeout ? [AbortSignal.timeout(timeout * 1000)] : [])]),
    };
  };

  const methods = {
    handshake(request) {
      attach(request.getEngineAddress());
      const response = new pb.ProviderHandshakeResponse();
      response.setAcceptSecrets(true);
      return response;
    },
    attach(request) {
      attach(request.getAddress());
      return new Empty();
    },
    getPluginInfo() {
      const response = new plugin.PluginInfo();
      response.setVersion(provider.version);
      return response;
    },
    getSchema() {
      const response = new pb.GetSchemaResponse();
      response.setSchema(JSON.stringify({ name: provider.name, version: provider.version }));
      return response;
    },
    checkConfig(request) {
      const response = new pb.CheckResponse();
      response.setInputs(request.getNews());
      return response;
    },
    diffConfig() {
      const response = new pb.DiffResponse();
      response.setChanges(pb.DiffResponse.DiffChanges.DIFF_NONE);
      return response;
    },
    configure() {
      const response = new pb.ConfigureResponse();
      response.setAcceptsecrets(true);
      response.setSupportspreview(true);
      return response;
    },
    cancel() {
      cancelled.abort();
      return new Empty();
    },
    check(request) {
      const { check = (news) => news } = handler(request);
      const response = new pb.CheckResponse();
      const fail = (property, reason) => {
        const failure = new pb.CheckFailure();
        failure.setProperty(property);
        failure.setReason(reason);
        response.addFailures(failure);
      };
      response.setInputs(toStruct(check(fromStruct(request.getNews()), fail)));
      return response;
    },
    diff(request) {
      const { replaceOn } = handler(request);
      const open = provider.opensSecrets ? plain : (v) => v;
      const olds = open(fromStruct(request.getOldInputs() ?? request.getOlds()));
      const changes = diffPaths(olds, open(fromStruct(request.getNews())));
      const response = new pb.DiffResponse();
      const diffs = new Set();
      const replaces = new Set();
      for (const [path, kind] of changes) {
        const [property] = /^[^.[]+/.exec(path);
        const replace = replaceOn(property);
        const detail = new pb.PropertyDiff();
        detail.setKind(pb.PropertyDiff.Kind[replace ? `${kind}_REPLACE` : kind]);
        response.getDetaileddiffMap().set(path, detail);
        diffs.add(property);
        if (replace) replaces.add(property);
      }
      response.setHasdetaileddiff(true);
      response.setDiffsList([...diffs]);
      response.setReplacesList([...replaces]);
      response.setChanges(pb.DiffResponse.DiffChanges[changes.size ? "DIFF_SOME" : "DIFF_NONE"]);
      return response;
    },
    async create(request) {
      const inputs = fromStruct(request.getProperties());
      const { id, outs } = await handler(request).create(inputs, context(request, request.getPreview()));
      const response = new pb.CreateResponse();
      response.setId(id);
      response.setProperties(toStruct(outs));
      return response;
    },
    async update(request) {
      const state = fromStruct(request.getOlds());
      const inputs = fromStruct(request.getNews());
      const outs = await handler(request).update(state, inputs, context(request, request.getPreview()));
      const response = new pb.UpdateResponse();
      response.setProperties(toStruct(outs));
      return response;
    },
    async delete(request) {
      await handler(request).delete?.(fromStruct(request.getProperties()), context(request, false));
      return new Empty();
    },
    read(request) {
      const response = new pb.ReadResponse();
      response.setId(request.getId());
      response.setProperties(request.getProperties());
      response.setInputs(request.getInputs());
      return response;
    },
    async invoke(request) {
      const token = request.getTok();
      const call = provider.functions?.[token];
      if (!call) throw unimplemented(`the stand-in for the ${provider.name} provider has no function ${token}`);
      const response = new pb.InvokeResponse();
      response.setReturn(
        toStruct(await call(fromStruct(request.getArgs()), { log: logger(""), signal: cancelled.signal })),
      );
      return response;
    },
  };
  const absent = unary(() => {
    throw unimplemented("not implemented");
  });
  start(ResourceProviderService, {
    ...Object.fromEntries(Object.entries(methods).map(([name, fn]) => [name, unary(fn)])),
    ...Object.fromEntries(["parameterize", "getMapping", "getMappings", "call", "construct"].map((k) => [k, absent])),
    list: (call) => call.emit("error", unimplemented("not implemented")),
  });
}

// Listens on a free port and says which on stdout, as the engine expects of a plugin.
function start(definition, implementation, announce = (port) => process.stdout.write(`${port}\n`)) {
  const server = new grpc.Server({
    "grpc.max_receive_message_length": 400 << 20,
    "grpc.max_send_message_length": 400 << 20,
  });
  server.addService(definition, implementation);
  server.bindAsync("127.0.0.1:0", grpc.ServerCredentials.createInsecure(), (error, port) => {
    if (error) throw error;
    announce(port);
  });
  return server;
}

module.exports = { serve, start, secret, isSecret, plain, UNKNOWN };
