// The arguments of a component: validated before anything is declared, with all their faults together.
import * as pulumi from "@pulumi/pulumi";
import type { z } from "zod";
import { defaultMessage, type Fault, faultsOf } from "../schema/faults.ts";

/**
 * Validates a component's arguments and fills in their defaults.
 *
 * @param more faults that the schema does not cover.
 * @throws pulumi.RunError with every fault and its path.
 */
export function settingsOf<Schema extends z.ZodType>(
  component: string,
  name: string,
  schema: Schema,
  given: unknown,
  more: Iterable<Fault> = [],
): z.output<Schema> {
  const parsed = schema.safeParse(given, { error: defaultMessage });
  const faults = faultsOf(parsed.error).map((fault) =>
    isPending(given, fault.path) ? { ...fault, message: NO_OUTPUT } : fault,
  );
  refuse(component, name, [...more, ...faults]);
  return parsed.data as z.output<Schema>;
}

/** In place of a message with the value: the SDK would print how to convert an Output. */
const NO_OUTPUT =
  "expected a plain value, got an Output or a promise, whose value is not known when the component is declared";

/** @throws pulumi.RunError if there are faults. */
export function refuse(component: string, name: string, faults: readonly Fault[]): void {
  if (faults.length === 0) return;
  // Each once: several checks may fail for one Output.
  const lines = new Set(faults.map(({ path, message }) => `  ${path.join(".")}: ${message}`));
  throw new pulumi.RunError(`${component} ${name} is invalid; nothing was changed:\n${[...lines].join("\n")}`);
}

/**
 * The faults of values that are known already: an Output gets its value after all resources are declared.
 *
 * @param check gets a copy without Outputs, because a message that prints one is an error of the SDK.
 */
export const known = <Given>(given: Given, check: (given: Given) => Iterable<Fault>): Fault[] =>
  [...check(withoutOutputs(given))].filter(({ path }) => !isPending(given, path));

const isOutput = (value: unknown): boolean => pulumi.Output.isInstance(value) || value instanceof Promise;

function isPending(value: unknown, [key, ...rest]: Fault["path"]): boolean {
  if (isOutput(value)) return true;
  if (key === undefined || typeof value !== "object" || value === null) return false;
  return isPending((value as Record<PropertyKey, unknown>)[key], rest);
}

/** A copy of plain tables and lists; a resource in them stays the same. */
function withoutOutputs<T>(value: T): T {
  if (isOutput(value)) return "a value that is not known yet" as T;
  if (Array.isArray(value)) return value.map(withoutOutputs) as T;
  if (typeof value !== "object" || value === null || Object.getPrototypeOf(value) !== Object.prototype) return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, withoutOutputs(inner)])) as T;
}
