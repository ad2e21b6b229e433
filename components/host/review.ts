// What a preview shows of an item: texts that Pulumi compares by line.
import type { remote } from "@pulumi/command";
import * as pulumi from "@pulumi/pulumi";
import type { File, Manifest } from "../../protocol/manifest.ts";

export interface Review {
  /** A text; its changed lines are shown. */
  document: pulumi.Input<string>;
  /** Shown if the item is new. @default none */
  files?: pulumi.Input<Record<string, object>>;
}

/**
 * The document of an item as a reviewer reads it. It has no effect on the host: the item's command sends the document,
 * and hides its changes, because Pulumi would also show the length in the last line.
 *
 * The state gets the text after the command has succeeded. After a failure, the next preview shows the change again.
 */
export class Document extends pulumi.ComponentResource {
  constructor(name: string, { document, files = {} }: Review, command: remote.Command, opts: pulumi.ResourceOptions) {
    const inputs = pulumi.runtime.isDryRun()
      ? { document, files }
      : { document: pulumi.all([document, command.stdout]).apply(([text]) => text), files: {} };
    // The state has no entries of `files`, so ignoring changes of entries removes them, except from a new item.
    // With `--target` or `--exclude`, the engine fails if a resource is registered before those that it depends on in the
    // state.
    super("gatehouse:index:Document", name, inputs, { ...opts, dependsOn: command, ignoreChanges: ["files[*]"] });
    this.registerOutputs();
  }
}

/** The bytes of a line that `pulumi preview --diff` shows; it cuts longer ones. */
const WIDTH = 150;

/**
 * A manifest as a text in which every line of a file starts with the file's name. Pulumi shows a changed line with two
 * lines around it, which would not say which file it is in.
 *
 * @param textOf writes a manifest as a text; called with the manifest without its files.
 * @example
 * /etc/caddy/Caddyfile 0644 root:root, reloads caddy.service
 * Caddyfile: import sites/*.caddy
 */
export function reviewText({ files = [], ...rest }: Manifest, textOf: (rest: Manifest) => string): string {
  const names = files.map(({ path }) => nameOf(path));
  const lines = files.flatMap((file) => {
    const name = nameOf(file.path);
    const label = names.indexOf(name) === names.lastIndexOf(name) ? name : file.path;
    return [...wrapped(heading(file)), ...linesOf(file.content).flatMap((line) => wrapped(line, `${label}: `))];
  });
  return [...lines, ...linesOf(textOf(rest)).flatMap((line) => wrapped(line)), ""].join("\n");
}

/** The files of a new release by path. Pulumi cuts a new text after its third line, but shows numbered lines whole. */
export const reviewFiles = ({ files = [] }: Manifest): Record<string, object> =>
  Object.fromEntries(
    files.map(({ path, content, ...attributes }) => {
      const lines = linesOf(content).flatMap((line) => wrapped(line));
      const digits = String(lines.length).length;
      const numbered = lines.map((line, index) => [String(index + 1).padStart(digits, "0"), line]);
      return [path, { ...attributes, content: Object.fromEntries(numbered) }];
    }),
  );

const nameOf = (path: string): string => path.slice(path.lastIndexOf("/") + 1);

const linesOf = (text: string): string[] => text.replace(/\n$/, "").split("\n");

function heading({ path, content, mode, owner, ...others }: File): string {
  const attributes = Object.entries(others).filter(([, value]) => value !== undefined && value.length > 0);
  const texts = attributes.map(([name, value]) => `${name} ${typeof value === "string" ? value : value.join(" ")}`);
  return [`${path} ${mode} ${owner}`, ...texts].join(", ");
}

/** A line in parts that Pulumi does not cut. A part that continues another one begins with `... `. */
function wrapped(line: string, label = ""): string[] {
  if (Buffer.byteLength(label + line) <= WIDTH) return [label + line];
  const parts = [label];
  for (const character of line) {
    const part = parts.at(-1) + character;
    if (Buffer.byteLength(part) > WIDTH && parts.at(-1) !== label) parts.push(`${label}... ${character}`);
    else parts[parts.length - 1] = part;
  }
  return parts;
}
