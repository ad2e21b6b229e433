// The arguments of a component: validated with all their faults together. An Output is validated once its value is known.
import * as pulumi from "@pulumi/pulumi";
import type { z } from "zod";
import type { Manifest } from "../../protocol/manifest.ts";
import { holdsPlaceholder, placeholder } from "../../protocol/placeholder.ts";
import { type Fault, faultsIn } from "../schema/faults.ts";
import { isPlain, partly } from "../schema/partly.ts";
import { legible } from "../sdk/legible.ts";
import { at, outputsIn, withOutputs } from "../sdk/outputs.ts";

/** The valid arguments of a component. */
export interface Settings<Values, Given> {
  /** With the defaults, and a placeholder for each Output: for decisions when the component is declared. */
  shape: Values;
  /**
   * With the defaults and the values of all Outputs; fails with all faults of the component. In a preview, a value that
   * is not known yet is a placeholder.
   */
  values: pulumi.Output<Values>;
  /** As they were given, for other components and for outputs; each Output fails with all faults of the component. */
  args: Given;
  /** A value for others that depends on these arguments; an Output if one of them is. */
  of<Key extends keyof Values, T>(
    keys: readonly Key[],
    compute: (values: Pick<Values, Key>) => T,
  ): T | pulumi.Output<T>;
  /**
   * The arguments of a release with a manifest that depends on these arguments, and possibly on numbers from the host.
   *
   * @param zeros in place of the numbers in the sketch.
   */
  manifest<Numbers>(
    render: (values: Values, numbers: Numbers) => Manifest,
    numbers?: pulumi.Input<Numbers>,
    zeros?: Numbers,
  ): { manifest: pulumi.Output<Manifest>; sketch: Manifest };
}

/** Arguments that the schema does not cover, such as secrets. */
export interface Further<Given> {
  given: Given;
  /** Gets a copy with placeholders in place of Outputs, because a message that prints one is an error of the SDK. */
  faults(given: Given): Iterable<Fault>;
}

/**
 * Validates a component's arguments and fills in their defaults.
 *
 * @throws pulumi.RunError with every fault that is known now, and its path.
 */
export function settingsOf<Schema extends z.ZodType, Given extends object, More = undefined>(
  component: string,
  name: string,
  schema: Schema,
  given: Given,
  more?: Further<More>,
): Settings<z.output<Schema>, Given> {
  type Values = z.output<Schema>;
  const standIn = (_: unknown, path: readonly PropertyKey[]) => placeholder(described(path, name));
  const faults = (plain: unknown, further: More) => [
    ...known(further, more ? [...more.faults(further)] : []),
    ...known(plain, faultsIn(schema, plain)),
  ];
  const sketched = withOutputs(given, standIn);
  const misplaced = outputsIn(given).filter((path) => isPlain(schema, path));
  refuse(component, name, [
    ...faults(sketched, withOutputs(more?.given as More, standIn)),
    ...misplaced.map((path) => ({ path: [...path], message: NO_OUTPUT })),
  ]);
  const { value: shape, whole } = partly(schema, sketched);
  const settings = outputsIn([given, more?.given]).length > 0 ? later() : now();
  const { args } = settings;
  return {
    shape,
    ...settings,
    of: (keys, compute) => {
      const each = keys.map((key) => [key, (args as Partial<Values>)[key] ?? (shape as Values)[key]]);
      const needed = Object.fromEntries(each);
      if (outputsIn(needed).length === 0) return compute(shape as Values);
      return pulumi.output(needed).apply(compute as (values: object) => unknown) as never;
    },
    manifest: (render, numbers, zeros) => {
      const written = (values: Values, numbers: unknown) =>
        unlessUnknown(values, () => render(values, numbers as never));
      const manifest = pulumi.all([settings.values, numbers]).apply(([values, numbers]) => {
        return written(values as Values, numbers) ?? pulumi.unknown;
      });
      return { manifest: manifest as pulumi.Output<Manifest>, sketch: (whole && written(shape, zeros)) || {} };
    },
  };

  function now() {
    return { values: pulumi.output(shape) as pulumi.Output<Values>, args: given };
  }

  function later() {
    const read = <T>(all: T) => withOutputs(all, (output, path) => legible(output, described(path, name)));
    const legibly = read(given);
    // Whether a secret is valid is not a secret.
    const verdict = pulumi.unsecret(
      pulumi.output({ plain: legibly as object, further: read(more?.given) as object }).apply(({ plain, further }) => {
        refuse(component, name, faults(plain, further as More), "nothing of it was changed");
        return true;
      }),
    );
    const valid = (output: pulumi.Input<unknown>) => pulumi.all([output, verdict]).apply(([value]) => value);
    const values = pulumi.output(withOutputs(legibly as object, valid)).apply((plain) => {
      const { value, whole } = partly(schema, plain);
      return whole ? value : pulumi.unknown;
    }) as pulumi.Output<Values>;
    return { values, args: withOutputs(given, valid) };
  }
}

/** In place of a message with the value: the SDK would print how to convert an Output. */
const NO_OUTPUT =
  "expected a plain value, since it decides which resources exist, got an Output or a promise, whose value is not known when the component is declared";

const described = (path: readonly PropertyKey[], name: string): string =>
  `${path.join(".")} of ${name}`.replace(/[^\w. -]/g, "-");

/**
 * Without the faults of values that are not known yet, and those of known values for the lack of one that is not known.
 */
const known = (given: unknown, faults: readonly Fault[]): Fault[] =>
  faults.filter(({ path, message }) => ![message, JSON.stringify(at(given, path))].some(holdsPlaceholder));

/** Undefined in place of the failure to compute with a placeholder, in a preview or a sketch. */
function unlessUnknown<T>(values: unknown, compute: () => T): T | undefined {
  try {
    return compute();
  } catch (error) {
    if (holdsPlaceholder(JSON.stringify(values))) return undefined;
    throw error;
  }
}

/** @throws pulumi.RunError if there are faults. */
export function refuse(component: string, name: string, faults: readonly Fault[], sofar = "nothing was changed"): void {
  if (faults.length === 0) return;
  // Each once: several checks may fail for one Output.
  const lines = new Set(faults.map(({ path, message }) => `  ${path.join(".")}: ${message}`));
  throw refusal(`${component} ${name} is invalid; ${sofar}:\n${[...lines].join("\n")}`);
}

/** Otherwise the SDK would prepend the location of each resource that waits for it to the message. */
export const refusal = (message: string): pulumi.RunError =>
  Object.defineProperty(new pulumi.RunError(message), "message", { get: () => message, set: () => {} });
