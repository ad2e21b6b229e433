// Unit files and Quadlets, which share a grammar (systemd.syntax(7)).

/** What a key is set to in a section, in order; an empty value takes back what stands before it. */
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
