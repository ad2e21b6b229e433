import type { File, Manifest } from "../../protocol/manifest.ts";
import { secretsFolder } from "../../protocol/secrets.ts";

/** Content of a secret file for authentik. */
export interface Secret {
  content: string;
  /** Reader of the file: authentik's processes, or Podman on their behalf. @default "authentik" */
  reader?: "authentik" | "root";
  /**
   * Changes when the host should use a new value.
   * @default - the host always uses the given value, which the operator chose
   */
  rotation?: string;
}

/**
 * authentik's secrets by file name: the key that signs its cookies, the login to Valkey, settings, and the variables
 * for its first start.
 */
export function authentikSecrets(release: string, secrets: Record<string, Secret>): Manifest {
  const secret = (name: string, { content, reader = "authentik", rotation }: Secret): File => ({
    path: `${secretsFolder(release, "{generation}")}/${name}`,
    // Owned by root: another owner could change the file, or keep root from opening it.
    mode: reader === "root" ? "0400" : "0440",
    owner: `root:${reader}`,
    content,
    rotation,
  });
  return { files: Object.entries(secrets).map(([name, content]) => secret(name, content)) };
}
