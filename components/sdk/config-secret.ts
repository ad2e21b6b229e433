import * as pulumi from "@pulumi/pulumi";

/** Whether a key of the configuration, such as `gatehouse:sshKey`, is encrypted. The SDK knows it, its public types do not. */
export const isConfigSecret = (key: string): boolean =>
  (pulumi.runtime as unknown as { isConfigSecret(key: string): boolean }).isConfigSecret(key);
