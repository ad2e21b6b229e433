import * as pulumi from "@pulumi/pulumi";
import type { Fault } from "../schema/faults.ts";
import { namesBefore, stacksBefore } from "./moves.ts";
import { refuse } from "./settings.ts";

/** What a component waits for, as Pulumi accepts it. */
type DependsOn = pulumi.ResourceOptions["dependsOn"];

/**
 * A component that has items on a host. Pulumi itself applies `protect`, `retainOnDelete`, `deletedWith`, `transforms`
 * and `aliases` of a component to everything in it; this class does so for `dependsOn`, and refuses the options that
 * would have no effect.
 */
export abstract class Component extends pulumi.ComponentResource {
  /** The other stacks that it was in according to its aliases, as things to take over. */
  readonly formerStacks: readonly string[];
  /** Where the component is in the program: the outermost one of gatehouse, and the types of what that is in. */
  readonly place: { name: string; kind: string; within: string };
  /** What every item waits for: its own `dependsOn`, and those of the components that it is in. */
  readonly waitsFor: DependsOn;

  /**
   * @param named the argument with its name on the host, if it has one, which is the component's name by default.
   * @throws pulumi.RunError with every option that a component cannot have, and what to use instead.
   */
  constructor(
    kind: string,
    name: string,
    opts: pulumi.ComponentResourceOptions = {},
    named: Record<string, unknown> = {},
  ) {
    refuse(kind, name, [...optionFaults(opts), ...renameFaults(name, opts, named)]);
    super(`gatehouse:index:${kind}`, name, {}, opts);
    const above = opts.parent instanceof Component ? opts.parent : undefined;
    this.waitsFor = merged(above?.waitsFor, opts.dependsOn);
    this.place = above?.place ?? { name, kind, within: typesAbove(opts.parent) };
    const own = stacksBefore(opts.aliases).map((stack) => `stack ${stack}`);
    this.formerStacks = [...(above?.formerStacks ?? []), ...own];
  }
}

/** The types of a resource and of everything that it is in, as in a URN. */
function typesAbove(resource: pulumi.Resource | undefined): string {
  // The SDK's public types lack all of these.
  const { __pulumiType: type, __parentResource: parent } = (resource ?? {}) as Internals;
  return type === undefined || type === "pulumi:pulumi:Stack"
    ? ""
    : [typesAbove(parent), type].filter(Boolean).join("$");
}
type Internals = { __pulumiType?: string; __parentResource?: pulumi.Resource };

/** Both together. */
export const merged = (one: DependsOn, other: DependsOn): DependsOn =>
  pulumi.mergeOptions({ dependsOn: one }, { dependsOn: other }).dependsOn;

const TRANSFORMS = "has no effect on a component; use `transforms`, which reaches its commands";
const REPLACES = "has no effect on a component, whose items are changed in place; `pulumi up --replace` replaces one";
const ADOPTS =
  "cannot adopt an object on a host: declare it. What this stack applied is found again; list other objects in `takeOver` of the host";

/** The options that a component cannot have, each with what to use instead, as docs/resource-options.md says too. */
const REFUSED: Record<string, string> = {
  ignoreChanges:
    "has no effect on a component, whose items are applied as a whole; leave out or keep the argument instead",
  customTimeouts:
    "has no effect on a component, and the agent continues without its connection; set `deadline` of a manifest or an App instead",
  replaceOnChanges: REPLACES,
  replacementTrigger: REPLACES,
  replaceWith: REPLACES,
  import: ADOPTS,
  id: ADOPTS,
  urn: ADOPTS,
  hooks:
    "would run when the component is registered, before its items are applied; use `transforms`, which reaches its commands",
  hideDiffs: TRANSFORMS,
  additionalSecretOutputs: TRANSFORMS,
  deleteBeforeReplace: TRANSFORMS,
  envVarMappings: TRANSFORMS,
  pluginDownloadURL: TRANSFORMS,
  version: TRANSFORMS,
};

function* faultsOf(opts: pulumi.ComponentResourceOptions): Generator<Fault> {
  for (const [option, value] of Object.entries(opts)) {
    const message = REFUSED[option];
    if (message && value !== undefined && !(Array.isArray(value) && value.length === 0))
      yield { path: [option], message };
  }
  if (opts.deletedWith instanceof Component)
    yield {
      path: ["deletedWith"],
      message:
        "expected a resource whose deletion deletes the host, such as its server, got another component on the host; use `retainOnDelete` to keep an item there",
    };
}

/** Its name on the host is that of the component, unless it is given: another name would begin without the data. */
const renameFaults = (name: string, { aliases }: pulumi.ComponentResourceOptions, named: Record<string, unknown>) =>
  Object.entries(named)
    .filter(([, given]) => given === undefined)
    .flatMap(([key]) =>
      namesBefore(name, aliases).map((former) => ({
        path: ["aliases"],
        message: `${former} is also its name on the host: set ${key} to ${JSON.stringify(former)} to keep what it has there, or leave out the alias to begin without that`,
      })),
    );

const optionFaults = (opts: pulumi.ComponentResourceOptions): Fault[] => [...faultsOf(opts)];
