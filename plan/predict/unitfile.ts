// Unit files and Quadlets, which share a syntax (systemd.syntax(7)).

/** All values of a key in a section, in order. An empty value clears the values before it. */
export function values(content: string, section: string, key: string): string[] {
  let within = "";
  let found: string[] = [];
  for (const line of content.replace(/\\\n/g, " ").split("\n")) {
    within = /^\[(\w+)\]\s*$/.exec(line)?.[1] ?? within;
    const [, name, value] = /^([A-Za-z]+)\s*=\s*(.*?)\s*$/.exec(line) ?? [];
    if (within !== section || name !== key || value === undefined) continue;
    found = value === "" ? [] : [...found, value];
  }
  return found;
}
