// The pages by reader. A page that is not here fails a test.

/** A group: documents by their paths in the repository, or a folder of them. */
export interface Group {
  label: string;
  documents?: readonly string[];
  folder?: string;
}

export const SIDEBAR: readonly Group[] = [
  {
    label: "Decide",
    documents: [
      "README.md",
      "docs/comparison.md",
      "docs/architecture.md",
      "docs/security.md",
      "docs/platforms.md",
      "bench/results.md",
      "bench/scale.md",
      "bench/package.md",
      "bench/import.md",
    ],
  },
  {
    label: "Operate",
    documents: [
      "docs/authentik-deployment-guide.md",
      "docs/operations.md",
      "docs/backup-and-restore.md",
      "docs/cluster.md",
      "docs/migrating-from-ansible.md",
      "docs/plan.md",
      "docs/delivery.md",
    ],
  },
  {
    label: "Build beside",
    documents: [
      "docs/service-integration-guide.md",
      "docs/platform.md",
      "docs/resource-options.md",
      "examples/app/README.md",
      "examples/server/README.md",
    ],
  },
  {
    label: "Reference",
    documents: ["docs/configuration.md", "docs/messages.md", "docs/manifest.md", "docs/due-numbers.md", "CHANGELOG.md"],
  },
  { label: "Contribute", documents: ["CONTRIBUTING.md", "docs/lab.md", "agent/README.md", "SECURITY.md"] },
  { label: "Decisions", folder: "docs/decisions" },
];
