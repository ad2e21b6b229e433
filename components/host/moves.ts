// The former place of a component in the state, by its aliases. One that is an Output is not known yet.
import * as pulumi from "@pulumi/pulumi";

type Aliases = pulumi.ComponentResourceOptions["aliases"];
type Former = Partial<Record<"name" | "project" | "stack", string>>;

/** This stack, as `PROJECT/STACK`. */
export const thisStack = (): string => `${pulumi.getProject()}/${pulumi.getStack()}`;

/** Its former names. */
export const namesBefore = (name: string, aliases: Aliases = []): string[] =>
  aliases.map(formerOf).flatMap((former) => (former.name === undefined || former.name === name ? [] : former.name));

/** The other stacks that it was in, as `PROJECT/STACK`. */
export const stacksBefore = (aliases: Aliases = []): string[] => {
  const own = { project: pulumi.getProject(), stack: pulumi.getStack() };
  const all = aliases.map(formerOf).map(({ project = own.project, stack = own.stack }) => `${project}/${stack}`);
  return [...new Set(all)].filter((one) => one !== thisStack());
};

function formerOf(alias: pulumi.Input<pulumi.URN | pulumi.Alias>): Former {
  if (typeof alias === "string") {
    const [stack, project, , name] = alias.split("::");
    return { stack: stack?.split(":").at(-1), project, name };
  }
  if (pulumi.Output.isInstance(alias) || alias instanceof Promise) return {};
  const { name, project, stack } = alias;
  return Object.fromEntries(Object.entries({ name, project, stack }).filter(([, value]) => typeof value === "string"));
}
