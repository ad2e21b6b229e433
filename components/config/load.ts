import * as pulumi from "@pulumi/pulumi";
import type { z } from "zod";
import { type Settings, settingsSchema } from "./schema.ts";

/** The settings of the stack, and the secret that goes with them. */
export interface Configuration extends Settings {
  /** The SSH private key, secret. @default - the keys of the SSH agent */
  sshKey: pulumi.Output<string> | undefined;
}

const SECRET_KEYS = ["sshKey"];

/**
 * Reads the stack's configuration, once, into a closed shape.
 *
 * @throws pulumi.RunError with every fault and its path, all together.
 */
export function load(): Configuration {
  const config = new pulumi.Config();
  const prefix = `${pulumi.getProject()}:`;
  const given: Record<string, unknown> = {};
  for (const key of Object.keys(pulumi.runtime.allConfig()).filter((key) => key.startsWith(prefix))) {
    const name = key.slice(prefix.length);
    if (!SECRET_KEYS.includes(name)) given[name] = decoded(config.require(name));
  }
  const parsed = settingsSchema.safeParse(given);
  if (!parsed.success) throw new pulumi.RunError(refusal(pulumi.getStack(), parsed.error));
  const sshKey = config.getSecret("sshKey");
  return { ...parsed.data, sshKey: sshKey?.apply((key) => (key.endsWith("\n") ? key : `${key}\n`)) };
}

// Pulumi hands every value over as text; objects, numbers and booleans as JSON.
function decoded(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

function refusal(stack: string, error: z.ZodError): string {
  const faults = error.issues.flatMap((issue) =>
    issue.code === "unrecognized_keys"
      ? issue.keys.map((key) => ({ path: [...issue.path, key], message: "there is no such key" }))
      : issue.code === "invalid_key" || issue.code === "invalid_element"
        ? issue.issues.map((inner) => ({ path: issue.path, message: inner.message }))
        : [issue],
  );
  const lines = faults.map(({ path, message }) => `  ${path.join(".")}: ${message}`);
  return `Pulumi.${stack}.yaml is not accepted; nothing was done:\n${lines.join("\n")}\nEvery key is described in docs/configuration.md.`;
}
