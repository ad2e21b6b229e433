import * as pulumi from "@pulumi/pulumi";

/** Whether a config key, such as `gatehouse:sshKey`, is encrypted. The SDK's public types lack this function. */
export const isConfigSecret = (key: string): boolean =>
  (pulumi.runtime as unknown as { isConfigSecret(key: string): boolean }).isConfigSecret(key);
