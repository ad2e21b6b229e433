import type * as pulumi from "@pulumi/pulumi";

/** The options that a program gave: the engine sends all of them, most of them empty. */
export const givenOptions = (opts: pulumi.ComponentResourceOptions): pulumi.ComponentResourceOptions =>
  Object.fromEntries(Object.entries(opts).filter(([, value]) => !isEmpty(value)));

function isEmpty(value: unknown): boolean {
  if (typeof value !== "object" || value === null) return value === undefined || value === "";
  const prototype = Object.getPrototypeOf(value);
  return (Array.isArray(value) || prototype === Object.prototype) && Object.values(value).every(isEmpty);
}
