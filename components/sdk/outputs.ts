import * as pulumi from "@pulumi/pulumi";

/** Whether a value may become known later. */
export const isOutput = (value: unknown): value is pulumi.Output<unknown> | Promise<unknown> =>
  pulumi.Output.isInstance(value) || value instanceof Promise;

/** A value computed from another: an Output only if that is one. */
export const computed = <T extends object | string | undefined, U>(
  value: pulumi.Input<T>,
  compute: (value: T) => U,
): pulumi.Input<U> =>
  isOutput(value) ? pulumi.output(value).apply((known) => compute(known as T)) : compute(value as T);

type Path = readonly PropertyKey[];
/** Whether a value is a table of values, and nothing more. */
export const isTable = <T>(value: T): value is T & object =>
  typeof value === "object" && value !== null && Object.getPrototypeOf(value) === Object.prototype;

/** A copy of tables and lists in which each Output is replaced; a resource in them stays the same. */
export function withOutputs<T>(
  value: T,
  replace: (output: pulumi.Input<unknown>, path: Path) => unknown,
  path: Path = [],
): T {
  if (isOutput(value)) return replace(value, path) as T;
  if (Array.isArray(value)) return value.map((one, index) => withOutputs(one, replace, [...path, index])) as T;
  if (!isTable(value)) return value;
  const entries = Object.entries(value).map(([key, one]) => [key, withOutputs(one, replace, [...path, key])]);
  return Object.fromEntries(entries) as T;
}

/** The paths of the Outputs in tables and lists. */
export function outputsIn(value: unknown): Path[] {
  const paths: Path[] = [];
  withOutputs(value, (_, path) => paths.push(path));
  return paths;
}

/** The value at a path, or the last one on the way to it that is not a table or a list. */
export function at(value: unknown, [key, ...rest]: Path): unknown {
  if (key === undefined || typeof value !== "object" || value === null) return value;
  return at((value as Record<PropertyKey, unknown>)[key], rest);
}
