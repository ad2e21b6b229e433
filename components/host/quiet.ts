import * as pulumi from "@pulumi/pulumi";

/**
 * Has the SDK do without what it does for its own diagnosis, which takes longer than all else that a program of many
 * resources does. To be called once, before the first resource. `pulumi --debug` tells less then.
 */
export function quiet(): void {
  // Dozens of stack traces for each resource, and each of their frames looked up in source maps, which what Node runs as
  // it stands does not have: where something went wrong is told without them.
  Reflect.deleteProperty(Error, "prepareStackTrace");
  // Up to six messages for each resource, each a call of the engine that the next one waits for. No public setting ends
  // them; warnings and errors go another way.
  Reflect.set(pulumi.log, "debug", async () => {});
}
