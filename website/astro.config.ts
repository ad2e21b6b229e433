import starlight from "@astrojs/starlight";
import { defineConfig } from "astro/config";
import { pages } from "./pages.ts";
import { SIDEBAR } from "./sidebar.ts";

const bySource = new Map(pages().map((page) => [page.source, page]));
const entry = (source: string) => {
  const page = bySource.get(source);
  if (!page) throw new Error(`website/sidebar.ts names ${source}, which does not exist`);
  return { label: page.title, slug: page.slug || "index" };
};

export default defineConfig({
  integrations: [
    starlight({
      title: "gatehouse",
      customCss: ["./src/tables.css"],
      sidebar: SIDEBAR.map(({ label, documents = [], folder }) => ({
        label,
        collapsed: folder !== undefined,
        items: [
          ...documents,
          ...[...bySource.keys()].filter((source) => folder && source.startsWith(`${folder}/`)),
        ].map(entry),
      })),
    }),
  ],
});
