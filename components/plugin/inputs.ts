// The arguments of a Gatehouse, from a program in another language.
import * as pulumi from "@pulumi/pulumi";
import type { GatehouseArgs } from "../gatehouse/args.ts";
import { known } from "../sdk/known.ts";
import { isTable } from "../sdk/outputs.ts";

/** Without the Outputs that are neither secret nor unknown: some arguments decide which resources exist. */
export async function argsOf(inputs: pulumi.Inputs): Promise<GatehouseArgs> {
  const { host, authentik, ...others } = (await opened(inputs)) as Partial<GatehouseArgs>;
  return { ...others, host: host ?? {}, authentik: authentik ?? {} } as GatehouseArgs;
}

async function opened(value: unknown): Promise<unknown> {
  if (pulumi.Output.isInstance(value)) {
    const inner = await known(value);
    if (!inner) return value;
    return (await pulumi.isSecret(value)) ? secret(inner.value) : opened(inner.value);
  }
  if (Array.isArray(value)) return Promise.all(value.map(opened));
  if (!isTable(value)) return value;
  const entries = Object.entries(value).map(async ([key, inner]) => [key, await opened(inner)] as const);
  return Object.fromEntries(await Promise.all(entries));
}

/** The keys of a secret table are no secrets. */
function secret(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(secret);
  if (!isTable(value)) return pulumi.secret(value);
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, secret(inner)]));
}
