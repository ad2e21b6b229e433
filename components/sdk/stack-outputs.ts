import * as pulumi from "@pulumi/pulumi";

/** Calls this in a preview, once the program has declared all its resources. Never without an engine, as in unit tests. */
export function onceDeclared(body: () => void): void {
  if (pulumi.runtime.isDryRun()) pulumi.runtime.getStackResource()?.outputs.apply(body);
}
