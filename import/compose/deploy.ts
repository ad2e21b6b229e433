// `deploy` of a service: limits, and what is for a cluster.
import type { DraftContainer } from "../draft.ts";
import { label } from "../labels.ts";
import type { Lookup } from "../words.ts";
import type { Node } from "../yaml.ts";
import { LOST } from "./reasons.ts";
import { entriesOf, pairsOf, scalarOf, textOf } from "./values.ts";

export function deploy(container: DraftContainer, node: Node, file: string, lookup: Lookup): void {
  for (const [key, value] of entriesOf(node)) {
    const place = { file, line: value.line };
    if (key === "restart_policy") container.moot(place, `deploy.${key}`, "a container that ends is started again");
    else if (key === "replicas" && scalarOf(value) === 1) continue;
    else if (key === "labels")
      for (const { name, value: text = "", line } of pairsOf(value)) label(container, name, text, { file, line });
    else if (key !== "resources")
      container.lost(place, `deploy.${key}`, key === "replicas" ? "each container runs once" : "is for a cluster");
    else
      for (const [kind, limits] of entriesOf(value))
        for (const [name, limit] of entriesOf(limits)) {
          const at = { file, line: limit.line };
          if (kind === "reservations" && name === "devices") container.lost(at, "GPUs", LOST.gpus as string);
          else if (kind === "reservations")
            container.changed(at, `reservations.${name}`, "is only limited, not reserved");
          else if (name === "memory") container.limitMemory(textOf(limit, lookup), at);
          else if (name === "cpus") container.set("cpus", Number(textOf(limit, lookup)), at);
          else if (name === "pids") container.key("PidsLimit", textOf(limit, lookup), at);
          else container.lost(at, `${kind}.${name}`, "has no equivalent");
        }
  }
}
