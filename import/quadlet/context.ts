// What the readers of a Quadlet's keys have in common.
import type { DraftContainer } from "../draft.ts";
import type { Place } from "../findings.ts";
import type { Key } from "../unit.ts";

export interface Unit {
  file: string;
  /** Without its suffix. */
  name: string;
  kind: string;
  keys: Key[];
}
/** Reads one key of a section. */
export type Handler = (container: DraftContainer, value: string, place: Place, unit: Unit) => void;
