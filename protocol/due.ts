/**
 * Due number at the end of a command: when it changes, Pulumi runs the command again. See docs/due-numbers.md.
 *
 * @example "1f0c9a7b3d52/2" or "1f0c9a7b3d52/2.1796028000"
 */
export interface Due {
  /** Name of the installation, set when the first agent is installed on the host. */
  machine: string;
  /** Number of times that the host has drifted from this item. */
  repairs: number;
  /**
   * Seconds since 1970, if the host last received a different document from the one in the state, or none.
   * @default - it received this one
   */
  resent?: number;
}

/** Due number of an item that is applied without inspecting the host. */
export const NEVER_ASKED = "never-asked";

/** Formats a due number. */
export const formatDue = ({ machine, repairs, resent }: Due): string =>
  `${machine}/${repairs}${resent === undefined ? "" : `.${resent}`}`;

/** Parses a due number; undefined if the text is not one, such as `never-asked`. */
export function parseDue(text: string): Due | undefined {
  const [, machine, repairs, resent] = /^(\w+)\/(\d+)(?:\.(\d+))?$/.exec(text) ?? [];
  if (machine === undefined) return undefined;
  return { machine, repairs: Number(repairs), ...(resent !== undefined && { resent: Number(resent) }) };
}
