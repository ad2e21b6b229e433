import type { File, Manifest } from "../../protocol/manifest.ts";
import { secretsFolder } from "../../protocol/secrets.ts";

/** The content of one file among authentik's secrets. */
export interface Secret {
  content: string;
  /** Who reads the file: authentik's processes, or Podman for them. @default "authentik" */
  reader?: "authentik" | "root";
  /** Changes when the host should take a new one. @default - the host always takes it, since the operator chose it */
  rotation?: string;
}

/**
 * authentik's secrets by the names of their files: the key that signs its cookies, the login to Valkey, settings, and what its
 * first start reads.
 */
export function authentikSecrets(release: string, secrets: Record<string, Secret>): Manifest {
  const secret = (name: string, { content, reader = "authentik", rotation }: Secret): File => ({
    path: `${secretsFolder(release, "{generation}")}/${name}`,
    // Root's: its owner could change it, or keep root from opening it.
    mode: reader === "root" ? "0400" : "0440",
    owner: `root:${reader}`,
    content,
    rotation,
  });
  return { files: Object.entries(secrets).map(([name, content]) => secret(name, content)) };
}
