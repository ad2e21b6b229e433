import type { ResourceTransformation } from "@pulumi/pulumi";
import { Gatehouse } from "./gatehouse.ts";

/**
 * For a stack from before the platform was one component: its parts are in the state at the top of the program, without
 * the name of the platform. Only for such a program: in another one, a resource may have such a name.
 */
export const formerNames: ResourceTransformation = ({ name, props, opts }) => {
  if (!(opts.parent instanceof Gatehouse)) return undefined;
  const alias = { name: name.slice(name.lastIndexOf("-") + 1), parent: undefined };
  return { props, opts: { ...opts, aliases: [...(opts.aliases ?? []), alias] } };
};
