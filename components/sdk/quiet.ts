import * as pulumi from "@pulumi/pulumi";
import debuggable from "@pulumi/pulumi/runtime/debuggable.js";

/**
 * Disables the SDK's debug instrumentation, which takes longer than the rest of a program with many resources. Call it
 * once, before the first resource. `pulumi --debug` prints less afterwards. Has no effect if PULUMI_DEBUG_PROMISE_LEAKS
 * is set.
 *
 * @example
 * quiet();
 */
export function quiet(): void {
  if (process.env.PULUMI_DEBUG_PROMISE_LEAKS) return;
  // Looks up each stack frame in source maps. Node runs the sources directly, so there are none.
  Reflect.deleteProperty(Error, "prepareStackTrace");
  // Sends up to six messages for each resource, and each delays the next call to the engine. No public setting disables
  // them; warnings and errors use another path.
  Reflect.set(pulumi.log, "debug", async () => {});
  // Records a stack trace for each of the dozens of promises in a resource, in case one never settles. Such a promise is
  // also reported without the traces.
  const promise = Reflect.get(debuggable, "debuggablePromise") as (...args: unknown[]) => unknown;
  // Already replaced if the program runs again in the same process, as it does with mocks.
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
