import * as pulumi from "@pulumi/pulumi";
import type { Fault } from "../schema/faults.ts";
import { refuse } from "./settings.ts";

/** What a component waits for, as Pulumi accepts it. */
type DependsOn = pulumi.ResourceOptions["dependsOn"];

/**
 * A component that has items on a host. Pulumi itself applies `protect`, `retainOnDelete`, `deletedWith`, `transforms`
 * and `aliases` of a component to everything in it; this class does so for `dependsOn`, and refuses the options that
 * would have no effect.
 */
export abstract class Component extends pulumi.ComponentResource {
  /** What every item waits for: its own `dependsOn`, and those of the components that it is in. */
  readonly waitsFor: DependsOn;

  /** @throws pulumi.RunError with every option that a component cannot have, and what to use instead. */
  constructor(kind: string, name: string, opts: pulumi.ComponentResourceOptions = {}) {
    refuse(kind, name, optionFaults(opts));
    super(`gatehouse:index:${kind}`, name, {}, opts);
    const above = opts.parent instanceof Component ? opts.parent.waitsFor : undefined;
    this.waitsFor = merged(above, opts.dependsOn);
  }
}

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
const optionFaults = (opts: pulumi.ComponentResourceOptions): Fault[] => [...faultsOf(opts)];
