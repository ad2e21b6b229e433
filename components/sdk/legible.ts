import * as pulumi from "@pulumi/pulumi";
import { placeholder } from "../../protocol/placeholder.ts";

/**
 * A value for a rendered file. In a preview, a value that is not known yet, such as one that the host returns, is replaced by a
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
  return output.apply((known) => readable(known, placeholder(what)), true);
}

/** With a placeholder in place of each unknown value in it. */
function readable<T>(value: T, instead: string): T {
  if (pulumi.isUnknown(value)) return instead as T;
  if (!pulumi.containsUnknowns(value)) return value;
  if (Array.isArray(value)) return value.map((one) => readable(one, instead)) as T;
  return Object.fromEntries(Object.entries(value as object).map(([key, one]) => [key, readable(one, instead)])) as T;
}
