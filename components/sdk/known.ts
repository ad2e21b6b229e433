import * as pulumi from "@pulumi/pulumi";

/**
 * Resolves an Output before any resource is declared; `undefined` if its value is not known yet. A known value is
 * wrapped, because it may be `undefined` itself.
 *
 * @throws the error with which the Output was rejected.
 */
export async function known<T>(value: pulumi.Input<T>): Promise<{ value: pulumi.Unwrap<T> } | undefined> {
  // The SDK's public types lack both.
  type Settled = { isKnown: Promise<boolean>; promise(): Promise<pulumi.Unwrap<T>> };
  const output = pulumi.output(value) as unknown as Settled;
  return (await output.isKnown) ? { value: await output.promise() } : undefined;
}
