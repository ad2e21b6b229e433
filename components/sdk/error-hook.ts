import * as pulumi from "@pulumi/pulumi";

/**
 * Registers a hook for failed commands. Undefined if the engine has no such hooks, as the mocks of unit tests: the SDK
 * would call a method that they lack.
 */
export function errorHook(name: string, callback: pulumi.ErrorHookFunction): pulumi.ErrorHook | undefined {
  // The SDK's public types lack this function.
  const monitor = (pulumi.runtime as unknown as { getMonitor(): object | undefined }).getMonitor();
  if (!monitor || !("registerErrorHook" in monitor)) return undefined;
  return new pulumi.ErrorHook(name, callback);
}
