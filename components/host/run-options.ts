// Options of `pulumi up` and `pulumi preview` that would not do what they say.
import * as pulumi from "@pulumi/pulumi";
import { cliArguments } from "../sdk/command-line.ts";

/**
 * For a component that may be the first resource of a program: the engine would stop at it without the reason, or
 * continue without an effect.
 *
 * @throws pulumi.RunError if the run makes an update plan or follows one, or selects components only.
 */
export function refuseRunOptions(): void {
  const args = cliArguments(pulumi.getStack());
  if (args.some((arg) => /^--(save-)?plan(=|$)/.test(arg))) throw new pulumi.RunError(NO_UPDATE_PLANS);
  const alone = componentAlone(args);
  if (alone) throw new pulumi.RunError(alone);
}

const NO_UPDATE_PLANS =
  "update plans (--save-plan, --plan) do not work with gatehouse; nothing was changed. A plan permits only the values of the preview, and a preview has placeholders for the values that only the host knows. " +
  "Leave the option out; `npm run plan` shows and saves what an `up` would do. More: docs/delivery.md#update-plans";

/** The message about an option that selects a component without its items; undefined if there is none. */
export function componentAlone(args: readonly string[]): string | undefined {
  const target = valuesOf(args, /^(--target|-t)$/);
  const exclude = valuesOf(args, /^--exclude$/);
  const alone = [
    // A new app needs both its component and its items.
    ...(args.includes("--target-dependents") || !target.every(isComponent) ? [] : target.map(pair("--target"))),
    ...(args.includes("--exclude-dependents") ? [] : exclude.map(pair("--exclude"))),
    ...valuesOf(args, /^--replace$/).map(pair("--replace")),
    ...valuesOf(args, /^--target-replace$/).map(pair("--target-replace")),
  ].filter(([, urn]) => isComponent(urn));
  if (alone.length === 0) return undefined;
  const lines = alone.map(
    ([option, urn]) => `  instead of ${option} '${urn}'\n  use ${optionFor(option)} '${withItems(urn)}'`,
  );
  return `a component alone has nothing on the host; nothing was changed. Select its items too:\n${lines.join("\n")}\nMore: docs/resource-options.md`;
}

const pair = (option: string) => (urn: string) => [option, urn] as const;

function valuesOf(args: readonly string[], option: RegExp): string[] {
  return args.flatMap((arg, index) => {
    const [name = "", ...value] = arg.split("=");
    if (!option.test(name)) return [];
    return [value.length > 0 ? value.join("=") : (args[index + 1] ?? "")];
  });
}

/** A URN without a wildcard, whose own type is one of gatehouse's. */
const isComponent = (urn: string): boolean => /^urn:[^*]*(::|\$)gatehouse:index:\w+::[^:*]+$/.test(urn);

/** The pattern of a component and everything in it: the names of its items begin with its name. */
const withItems = (urn: string): string => urn.replace(/::([^:]+)$/, "**::$1*");

/** Of the replacements, only --replace accepts wildcards. */
const optionFor = (option: string): string => (option === "--target-replace" ? "--replace" : option);
