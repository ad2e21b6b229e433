import * as pulumi from "@pulumi/pulumi";
import { placeholder } from "../../protocol/placeholder.ts";

/**
 * A value of the host's for a rendered file. In a preview, what the host has not answered yet stands as a placeholder that
 * says `what` it is, such as `<gid of postgres-clients>`: one unknown number must not make a whole manifest unreadable.
 *
 * During an update the value passes through unchanged; secrets stay secret. What is unknown then comes from a resource
 * that failed, and no placeholder may reach the host.
 */
export function legible<T>(value: pulumi.Input<T>, what: string): pulumi.Output<T> {
  if (!pulumi.runtime.isDryRun()) return pulumi.output(value) as pulumi.Output<T>;
  // The second parameter runs the function for unknown values too. The SDK has it, its public types do not.
  type Apply = (run: (value: T) => T, withUnknowns: boolean) => pulumi.Output<T>;
  const output = pulumi.output(value) as unknown as { apply: Apply };
  return output.apply((known) => (pulumi.isUnknown(known) ? (placeholder(what) as T) : known), true);
}
