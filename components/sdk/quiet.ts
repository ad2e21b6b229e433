import * as pulumi from "@pulumi/pulumi";
import debuggable from "@pulumi/pulumi/runtime/debuggable.js";

/**
 * Has the SDK do without what it does for its own diagnosis, which takes longer than all else that a program of many
 * resources does. To be called once, before the first resource. `pulumi --debug` tells less then; with
 * PULUMI_DEBUG_PROMISE_LEAKS in the environment everything stays as it was.
 */
export function quiet(): void {
  if (process.env.PULUMI_DEBUG_PROMISE_LEAKS) return;
  // Each frame of a stack trace looked up in source maps, which what Node runs as it stands does not have.
  Reflect.deleteProperty(Error, "prepareStackTrace");
  // Up to six messages for each resource, each a call of the engine that the next one waits for. No public setting ends
  // them; warnings and errors go another way.
  Reflect.set(pulumi.log, "debug", async () => {});
  // A stack trace for each of a resource's promises, dozens of them, for the case that one never settles. That it did not
  // is told without them.
  const promise = Reflect.get(debuggable, "debuggablePromise") as (...args: unknown[]) => unknown;
  // A program that runs again in the same process, as under mocks, finds it done.
  if (promise.name === "traceless") return;
  Reflect.set(debuggable, "debuggablePromise", function traceless(...args: unknown[]) {
    const { stackTraceLimit } = Error;
    Error.stackTraceLimit = 0;
    try {
      return promise(...args);
    } finally {
      Error.stackTraceLimit = stackTraceLimit;
    }
  });
}
