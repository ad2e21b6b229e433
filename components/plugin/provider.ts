// Answers Pulumi for programs in other languages: what the package has, and the platform that they declare.
import { readFileSync } from "node:fs";
import * as pulumi from "@pulumi/pulumi";
import { allSettings } from "../gatehouse/args.ts";
import { Gatehouse } from "../gatehouse/gatehouse.ts";
import { argsOf } from "./inputs.ts";
import { givenOptions } from "./options.ts";
import { GATEHOUSE, outputNames, packageSchema } from "./schema.ts";

const { version } = JSON.parse(readFileSync(new URL(import.meta.resolve("#package.json")), "utf8"));

export const provider: pulumi.provider.Provider = {
  version,
  getSchema: () => Promise.resolve(JSON.stringify(packageSchema(version))),
  construct,
};

/**
 * Declares the platform, after an inspection of its host.
 *
 * @throws pulumi.RunError with every fault in the inputs, before any resource is declared.
 */
async function construct(
  name: string,
  type: string,
  inputs: pulumi.Inputs,
  options: pulumi.ComponentResourceOptions,
): Promise<pulumi.provider.ConstructResult> {
  if (type !== GATEHOUSE) throw new pulumi.RunError(`the package gatehouse has no ${type}, only ${GATEHOUSE}`);
  const opts = givenOptions(options);
  const args = await argsOf(inputs);
  allSettings(name, args); // with the name of the resource in the message
  const gatehouse = new Gatehouse(name, { ...args, facts: await Gatehouse.inspect(args) }, opts);
  const state = Object.fromEntries(outputNames.map((output) => [output, gatehouse[output]]));
  return { urn: gatehouse.urn, state };
}
