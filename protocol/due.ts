/**
 * What a command ends with, so that Pulumi runs it again when the host needs it again. docs/due-numbers.md explains it.
 *
 * @example "1f0c9a7b3d52/2" or "1f0c9a7b3d52/2.1796028000"
 */
export interface Due {
  /** The name of the installation, which the host has from its first agent. */
  machine: string;
  /** How often the host has drifted from this item. */
  repairs: number;
  /** Seconds since 1970, where the host was given another document than the state holds, or none. @default - it was given this one */
  resent?: number;
}

/** The number of an item that is applied without a look at the host. */
export const NEVER_ASKED = "never-asked";

/** A due number as text. */
export const formatDue = ({ machine, repairs, resent }: Due): string =>
  `${machine}/${repairs}${resent === undefined ? "" : `.${resent}`}`;

/** Reads a due number; undefined where the text is none, such as `never-asked`. */
export function parseDue(text: string): Due | undefined {
  const [, machine, repairs, resent] = /^(\w+)\/(\d+)(?:\.(\d+))?$/.exec(text) ?? [];
  if (machine === undefined) return undefined;
  return { machine, repairs: Number(repairs), ...(resent !== undefined && { resent: Number(resent) }) };
}
