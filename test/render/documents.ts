// Prints every manifest with golden files, as the program sends it: JSON, for the agent's own loader.
import { manifestDocument } from "../../protocol/manifest.ts";
import { KEPT } from "./kept.ts";

const documents = Object.entries(KEPT).flatMap(([name, manifests]) =>
  manifests().map((manifest) => {
    const secret = (manifest.files ?? []).some(({ path }) => path.includes("{generation}"));
    return [name, manifestDocument(name, `gatehouse/test/${name}`, secret, manifest)];
  }),
);
console.log(JSON.stringify(documents));
