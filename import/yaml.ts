// YAML with the line of every value. Anchors and merged keys are resolved.
import { type Node as Ast, type Document, isAlias, isMap, isScalar, isSeq, LineCounter, parseDocument } from "yaml";

export type Scalar = string | number | boolean | null;
export type Node =
  | { line: number; kind: "scalar"; value: Scalar }
  | { line: number; kind: "list"; items: Node[] }
  | { line: number; kind: "map"; entries: Map<string, Node> };

/** @throws Error with the parser's message, which has the line. */
export function readYaml(text: string): Node {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, merge: false });
  const [error] = document.errors;
  if (error) throw new Error(error.message.split("\n")[0]);
  return nodeOf(document.contents, document, lines, 1);
}

function nodeOf(given: Ast | null, document: Document, lines: LineCounter, above: number): Node {
  const line = given?.range ? lines.linePos(given.range[0]).line : above;
  const ast = isAlias(given) ? given.resolve(document) : given;
  if (isScalar(ast)) return { line, kind: "scalar", value: ast.value as Scalar };
  if (isSeq(ast))
    return { line, kind: "list", items: ast.items.map((item) => nodeOf(item as Ast, document, lines, line)) };
  if (!isMap(ast)) return { line, kind: "scalar", value: null };
  const entries = new Map<string, Node>();
  const merged: Node[] = [];
  for (const { key, value } of ast.items) {
    const name = String(isScalar(key) ? key.value : key);
    const at = isScalar(key) && key.range ? lines.linePos(key.range[0]).line : line;
    const node = nodeOf(value as Ast | null, document, lines, at);
    if (name !== "<<") entries.set(name, { ...node, line: at });
    else merged.push(...(node.kind === "list" ? node.items : [node]));
  }
  for (const { kind, ...other } of merged)
    if (kind === "map")
      for (const [name, node] of (other as Extract<Node, { kind: "map" }>).entries)
        if (!entries.has(name)) entries.set(name, node);
  return { line, kind: "map", entries };
}
