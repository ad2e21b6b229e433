// gatehouse as `npm pack` makes it, for the tests that use it as another repository does.
import { execFile } from "node:child_process";
import { cp, mkdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { promisify } from "node:util";

const ROOT = resolve(import.meta.dirname, "../..");
const SOURCES = [
  "agent",
  "components",
  "docs",
  "protocol",
  "templates",
  "package.json",
  "plugin.cjs",
  "PulumiPlugin.yaml",
  "tsconfig.json",
  "tsconfig.package.json",
  "README.md",
  "LICENSE",
];

/**
 * Packs a copy of this checkout, so that no build output appears in the repository while other tests run.
 *
 * @returns the path of the tarball in the folder.
 */
export async function pack(folder: string): Promise<string> {
  const checkout = join(folder, "checkout");
  await mkdir(checkout);
  for (const source of SOURCES) await cp(join(ROOT, source), join(checkout, source), { recursive: true });
  await symlink(join(ROOT, "node_modules"), join(checkout, "node_modules"));
  // As Python leaves them behind after the agent's tests.
  const cache = join(checkout, "agent/src/gatehouse/release/__pycache__");
  await mkdir(cache, { recursive: true });
  await writeFile(join(cache, "plan.cpython-313.pyc"), "");
  const npm = ["pack", "--silent", "--pack-destination", folder];
  const { stdout } = await promisify(execFile)("npm", npm, { cwd: checkout });
  await rm(checkout, { recursive: true });
  return join(folder, stdout.trim());
}

/** Creates node_modules in a folder as npm would, without a registry: gatehouse from the tarball, its dependencies as links. */
export async function install(tarball: string, folder: string, more: readonly string[] = []): Promise<void> {
  const modules = join(folder, "node_modules");
  const own = join(modules, "gatehouse");
  await mkdir(own, { recursive: true });
  const tar = ["--extract", "--file", tarball, "--directory", own, "--strip-components=1"];
  await promisify(execFile)("tar", tar);
  const { dependencies } = JSON.parse(await readFile(join(own, "package.json"), "utf8"));
  for (const name of [...Object.keys(dependencies), ...more]) {
    await mkdir(dirname(join(modules, name)), { recursive: true });
    await symlink(join(ROOT, "node_modules", name), join(modules, name));
  }
}
