// Only the profiles contain differences between distributions; the rest of the program cannot distinguish them.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { settingsSchema } from "../../components/config/schema.ts";
import { platforms } from "../../components/distribution/distributions.ts";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const ROOMS = ["agent/src", "components", "plan", "policy", "protocol", "templates"];
/**
 * The files that may name a distribution: the profiles, the agent's modules for each package manager, and the schema of
 * their documents.
 */
const KNOW = [
  /^components\/distribution\//,
  /^agent\/src\/gatehouse\/(system\/(apt|pacman)|items\/packages)\.py$/,
  /^protocol\/items\.ts$/,
  // Written from the schemas, which list the profiles.
  /^components\/\w+\/input\.ts$/,
];
const NAMES = /\b(arch|archlinux|debian|ubuntu|apt|apt-get|dpkg|pacman)\b/i;

const program = ROOMS.flatMap((room) =>
  readdirSync(join(ROOT, room), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && /\.(ts|js|py|sh|njk)$/.test(entry.name))
    .map((entry) => join(entry.parentPath, entry.name).slice(ROOT.length)),
).filter((path) => !path.includes("node_modules/"));

/** Lines of code that name a distribution, or something that only one has; comments may. */
const naming = (text: string): string[] =>
  text
    .replace(/\/\*[\s\S]*?\*\/|\{#[\s\S]*?#\}|"""[\s\S]*?"""/g, "")
    .split("\n")
    .map((line) => line.replace(/(^|\s)(\/\/|#).*/, ""))
    .filter((line) => NAMES.test(line));

describe("only the profiles contain the name of a distribution", () => {
  const others = program.filter((path) => !KNOW.some((known) => known.test(path)));

  test("the program, the plan, the policies, the templates and the agent do not", () => {
    expect(others.length).toBeGreaterThan(100);
    const found = others.flatMap((path) =>
      naming(readFileSync(join(ROOT, path), "utf8")).map((line) => `${path}: ${line}`),
    );
    expect(found).toEqual([]);
  });

  test("as a profile or a comparison would", () => {
    expect(naming(readFileSync(join(ROOT, "components/distribution/arch.ts"), "utf8"))).not.toEqual([]);
    expect(naming('if (host.platform.id === "arch") return;')).toHaveLength(1);
    expect(naming("// Debian's unit\n/** not on Arch */\nconst unit = 1; // of Ubuntu")).toEqual([]);
  });
});

describe.each(Object.entries(platforms))("the profile of %s", (name, platform) => {
  test("has the name that the configuration and /etc/os-release use", () => {
    expect(platform.id).toBe(name);
    const host = { address: "192.0.2.10", hostKey: "ssh-ed25519 AAAA", platform: name };
    const authentik = { domain: "auth.example.org", version: "2026.8.3" };
    expect(settingsSchema.parse({ host, authentik }).host.platform).toBe(name);
  });

  test("has a package manager that the agent supports", () => {
    const agent = readdirSync(join(ROOT, "agent/src/gatehouse/system"));
    expect(agent).toContain(`${platform.packages.manager}.py`);
  });
});

test("a platform without a profile is refused with the supported ones", () => {
  const host = { address: "192.0.2.10", hostKey: "ssh-ed25519 AAAA", platform: "gentoo" };
  const { error } = settingsSchema.safeParse({ host, authentik: { domain: "auth.example.org", version: "2026.8.3" } });
  expect(error?.issues).toMatchObject([{ path: ["host", "platform"], values: Object.keys(platforms) }]);
});
