// The volumes of a service.
import { mounted } from "../beside.ts";
import type { DraftContainer } from "../draft.ts";
import type { Place } from "../findings.ts";
import type { Node } from "../yaml.ts";
import type { Context } from "./context.ts";
import { entriesOf, filled, hasAll, scalarOf, textOf } from "./values.ts";

export function mountOf(container: DraftContainer, node: Node, place: Place, context: Context): void {
  if (node.kind === "map") {
    const key = (name: string) => textOf(node.entries.get(name), context.lookup);
    const known = ["type", "source", "target", "read_only", "bind", "volume", "tmpfs", "consistency"];
    for (const name of node.entries.keys())
      if (!known.includes(name)) container.lost(place, `volumes.${name}`, "has no equivalent");
    if (key("type") === "tmpfs") {
      const size = textOf(entriesOf(node.entries.get("tmpfs")).get("size"), context.lookup);
      container.key("Tmpfs", `${key("target")}${size ? `:size=${size}` : ""}`, place);
    } else if (key("type") === "bind" || key("type") === "volume" || key("type") === "")
      mounted(container, context.file, key("source"), key("target"), key("read_only") === "true" ? ["ro"] : [], place);
    else container.lost(place, `volume of type ${key("type")}`, "has no equivalent");
    return;
  }
  const text = filled(container, String(scalarOf(node)), place, "volumes", context.lookup);
  if (!hasAll(node, context.lookup)) return;
  const [source = "", target, options = ""] = text.split(":");
  if (target === undefined) mounted(container, context.file, source.replace(/^\//, ""), source, [], place);
  else mounted(container, context.file, source, target, options.split(",").filter(Boolean), place);
}
