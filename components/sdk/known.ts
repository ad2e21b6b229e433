import * as pulumi from "@pulumi/pulumi";

/**
 * What an Output holds, for what must be asked before anything is declared; `undefined` where it is not known yet.
 * A value that is known is wrapped, since it may be `undefined` itself.
 *
 * @throws what the Output was rejected with.
 */
export async function known<T>(value: pulumi.Input<T>): Promise<{ value: pulumi.Unwrap<T> } | undefined> {
  // The SDK has both, its public types do not.
  type Settled = { isKnown: Promise<boolean>; promise(): Promise<pulumi.Unwrap<T>> };
  const output = pulumi.output(value) as unknown as Settled;
  return (await output.isKnown) ? { value: await output.promise() } : undefined;
}
