// Unit files and Quadlets with the line of every key (systemd.syntax(7)).

export interface Key {
  section: string;
  name: string;
  value: string;
  line: number;
}

export function keysOf(text: string): Key[] {
  const keys: Key[] = [];
  const lines = text.split("\n");
  let section = "";
  for (let index = 0; index < lines.length; index++) {
    const line = index + 1;
    let given = lines[index] as string;
    if (/^\s*([#;]|$)/.test(given)) continue;
    while (given.endsWith("\\") && index + 1 < lines.length) {
      const next = lines[++index] as string;
      given = /^\s*[#;]/.test(next) ? given : `${given.slice(0, -1)} ${next.trim()}`;
    }
    section = /^\s*\[([^\]]+)\]\s*$/.exec(given)?.[1] ?? section;
    const [, name, value = ""] = /^\s*([\w-]+)\s*=\s*(.*?)\s*$/.exec(given) ?? [];
    if (name) keys.push({ section, name, value, line });
  }
  return keys;
}
