// What the package exports, with its docstrings, for the tests that read, compile and run them.
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";

const ROOT = new URL("../../components/", import.meta.url).pathname;
const LIBRARY = "library.ts";
const DOC = /(?:\/\*\*((?:(?!\*\/).)*)\*\/\n *)?/s.source;

export interface Member {
  name: string;
  doc: string;
  optional: boolean;
}

export interface Export {
  name: string;
  file: string;
  kind: "class" | "interface" | "function" | "const" | "type";
  doc: string;
  /** Fields of an interface, and public fields of a class. */
  members: Member[];
}

function exported(name: string, file: string, text: string): Export {
  const declaration = new RegExp(`${DOC}^export (?:async )?(class|interface|function|const|type) ${name}\\b`, "ms");
  const found = declaration.exec(text);
  if (!found) throw new Error(`${file} has no ${name}`);
  const [whole, doc, kind = ""] = found;
  const body = text.slice(found.index + whole.length).split(/^}/m)[0] ?? "";
  const members = kind === "class" || kind === "interface" ? [...membersOf(body)] : [];
  return { name, file, kind: kind as Export["kind"], doc: plain(doc), members };
}

function* membersOf(body: string): Generator<Member> {
  const member = new RegExp(`${DOC}^ {2}(?:readonly )?([a-z]\\w*)(\\??)(?:: | = )`, "gms");
  for (const [, doc, name = "", mark] of body.split(/^ {2}constructor\(/m)[0]?.matchAll(member) ?? [])
    yield { name, doc: plain(doc), optional: mark === "?" };
}

const plain = (doc = "") =>
  doc
    .split("\n")
    .map((line) => line.replace(/^ *\* ?/, "").trimEnd())
    .join("\n")
    .trim();

/** Every name that the package exports. */
export const EXPORTS: Export[] = [
  ...readFileSync(join(ROOT, LIBRARY), "utf8").matchAll(/^export (?:type )?\{(.*?)\} from "(.*?)";$/gms),
].flatMap(([, names = "", path = ""]) => {
  const file = join(dirname(LIBRARY), path);
  const text = readFileSync(join(ROOT, file), "utf8");
  return names.split(",").flatMap((word) => {
    const name = word.replace("type ", "").trim();
    return name === "" ? [] : [exported(name, file, text)];
  });
});

/** The code below `@example`; undefined if there is none. */
const exampleOf = ({ doc }: Export): string | undefined => /@example\n(.*)$/s.exec(doc)?.[1];

/** Whether a name exists at run time. */
export const isValue = ({ kind }: Export): boolean => kind !== "interface" && kind !== "type";

/** An example as a program: it declares what the example takes for granted, such as a host. */
function programOf(example: string): string {
  const declares = (name: string) => new RegExp(`const (\\{[^}]*\\b${name}\\b[^}]*\\}|${name}\\b)`).test(example);
  const uses = (name: string) => new RegExp(`(?<![.\\w])${name}\\b`).test(example);
  const given = GIVEN.filter(({ name }) => uses(name) && !declares(name));
  const needed = new Set(given.flatMap(({ name, needs }) => [name, ...needs]));
  const code = [...GIVEN.filter(({ name }) => needed.has(name)).map(({ code }) => code), example].join("\n");
  const values = EXPORTS.filter((one) => isValue(one) && new RegExp(`\\b${one.name}\\b`).test(code));
  const names = values.map(({ name }) => name).join(", ");
  return `import * as pulumi from "@pulumi/pulumi";\nimport { ${names} } from "gatehouse";\n${code}\n`;
}

export const HOST_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIDbbUELMr/kKupIoIsTBkN3byX80tDYTvoaVVj3TtRJn";
const GIVEN = [
  {
    name: "connection",
    needs: [],
    code: `const connection = { address: "192.0.2.10", hostKey: "${HOST_KEY}" };`,
  },
  {
    name: "host",
    needs: ["connection"],
    code: 'const host = new Host("host", { connection, platform: platforms.debian });',
  },
  { name: "postgres", needs: ["host", "connection"], code: 'const postgres = new Postgres("postgres", { host });' },
];

const documented = readFileSync(new URL("../../docs/platform.md", import.meta.url), "utf8");

/** Every example as a program, by the name of its export; and the program with two hosts of docs/platform.md. */
export const PROGRAMS: Record<string, string> = {
  ...Object.fromEntries(
    EXPORTS.flatMap((one) => {
      const example = exampleOf(one);
      return example === undefined ? [] : [[one.name, programOf(example)]];
    }),
  ),
  "two hosts": /^```ts two-hosts\n(.*?)^```$/ms.exec(documented)?.[1] ?? "",
};
