// What an import could not carry over, or carried over in another way.

/** A line of a file that was read. */
export interface Place {
  file: string;
  line: number;
}

export interface Finding {
  place: Place;
  /** The key, such as `services.web.privileged`. */
  what: string;
  reason: string;
  /**
   * `lost`: not in the result. `changed`: in the result in another form, which the operator should look at. `moot`:
   * left out, because the platform does the same by itself.
   */
  kind: "lost" | "changed" | "moot";
}

/** All findings, sorted by their place. */
export class Findings {
  readonly #all: Finding[] = [];

  add(kind: Finding["kind"], place: Place, what: string, reason: string): void {
    this.#all.push({ kind, place, what, reason });
  }

  of(kind: Finding["kind"]): Finding[] {
    return this.#all
      .filter((one) => one.kind === kind)
      .sort((a, b) => a.place.file.localeCompare(b.place.file) || a.place.line - b.place.line);
  }
}
