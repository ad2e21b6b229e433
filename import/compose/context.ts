// What the readers of a compose file's keys have in common.
import type { DraftApp, DraftContainer } from "../draft.ts";
import type { Place } from "../findings.ts";
import type { Lookup } from "../words.ts";
import type { Node } from "../yaml.ts";

export interface Context {
  app: DraftApp;
  file: string;
  lookup: Lookup;
  /** Top-level tables, such as `secrets`. */
  top: ReadonlyMap<string, Node>;
  /** The services, and the names of their containers. */
  services: ReadonlySet<string>;
}

/** Reads one key of a service. */
export type Handler = (container: DraftContainer, node: Node, place: Place, context: Context) => void;
