import * as pulumi from "@pulumi/pulumi";
import { placeholder } from "../../protocol/placeholder.ts";

/**
 * A value from the host for a rendered file. In a preview, a value that the host has not returned yet is replaced by a
 * placeholder with the description `what`, such as `<gid of postgres-clients>`: one unknown number must not make a
 * whole manifest unreadable.
 *
 * During an update the value passes through unchanged: an unknown value then comes from a resource that failed, and no
 * placeholder may reach the host. Secrets stay secret.
 *
 * @param what names the value in the placeholder.
 * @example
 * const account = new Account("wiki", { host, home: "/var/lib/wiki" });
 * export const line = legible(account.uid, "uid of wiki").apply((uid) => `User=${uid}`);
 */
export function legible<T>(value: pulumi.Input<T>, what: string): pulumi.Output<T> {
  if (!pulumi.runtime.isDryRun()) return pulumi.output(value) as pulumi.Output<T>;
  // The second parameter also runs the function for unknown values. The SDK's public types lack it.
  type Apply = (run: (value: T) => T, withUnknowns: boolean) => pulumi.Output<T>;
  const output = pulumi.output(value) as unknown as { apply: Apply };
  return output.apply((known) => (pulumi.isUnknown(known) ? (placeholder(what) as T) : known), true);
}
