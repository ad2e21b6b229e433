// The scripts that reach a host before its agent does, and the agent itself.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { PROTOCOL } from "../../protocol/manifest.ts";
import type { Claim } from "../../protocol/things.ts";
import type { Distribution } from "../distribution/distribution.ts";

const PACKAGE = import.meta.resolve("#package.json");
const AGENT = new URL("agent/src/", PACKAGE);
const BOOTSTRAP = new URL("agent/bootstrap/", PACKAGE);
/** What finishes or undoes an interrupted release at boot: before the units of releases start, and after. */
const RECOVERY = ["gatehouse-recover.service", "gatehouse-recovered.service"];

/** What the configuration takes for granted about a host. */
export interface Expectations {
  platform: Distribution;
  /** The GIDs that groups must have, or be free; undefined where the host chooses. @default none */
  gids?: Record<string, number | undefined>;
}

/** Lines of shell that stop, with every problem named, on a host that cannot be used. */
export function preflight({ platform, gids = {} }: Expectations): string {
  const groups = Object.entries(gids).flatMap(([name, gid]) => (gid === undefined ? [] : [`${name}=${gid}`]));
  return `PLATFORM_ID=${platform.id} PLATFORM_VERSION=${platform.version} PYTHON_PACKAGE=${platform.packages.python}
podman_offered() { ${platform.packages.podmanOffered}; }
GROUPS_WANTED='${groups.join(" ")}'
${readFileSync(new URL("preflight.sh", BOOTSTRAP), "utf8")}`;
}

/** Shell that installs the agent; its argument names the host from then on. Nothing of it runs before its last line has arrived. */
export function installation(expectations: Expectations): string {
  const names = readdirSync(AGENT, { encoding: "utf8", recursive: true }).filter((name) => name.endsWith(".py"));
  const texts = (folder: URL, names: readonly string[]) =>
    Object.fromEntries(names.map((name) => [name, readFileSync(new URL(name, folder), "utf8")]));
  const agent = { protocol: PROTOCOL, files: texts(AGENT, names), units: texts(BOOTSTRAP, RECOVERY) };
  const body = JSON.stringify(JSON.stringify(agent));
  return whole(`${preflight(expectations)}
exec python3 - "$1" <<'PYTHON'
${readFileSync(new URL("install.py", BOOTSTRAP), "utf8")}
install(json.loads(${body}), sys.argv[1])
PYTHON`);
}

/**
 * Shell that looks at the host and answers with one line of JSON. A host without the agent gets a new name: whatever a
 * state says was done there is due again, also where an older snapshot of the same machine came back.
 */
export const inspection = (expectations: Expectations): string =>
  whole(`${preflight(expectations)}
if [ -x /usr/local/bin/gatehouse ]; then exec gatehouse facts; fi
printf '{"protocol":0,"machine":"%s","items":{}}\\n' "$(od -An -N6 -tx1 /dev/urandom | tr -d ' ')"`);

/**
 * Shell that asks the host what it has by the names of these claims, and answers with one line of JSON. It brings the
 * agent's own modules: the host may have no agent, or an older one.
 */
export const question = (claims: readonly Claim[]): string =>
  whole(`exec python3 - <<'PYTHON'
import importlib.abc, importlib.util, io, json, sys
TEXTS = json.loads(${quoted(modules(["gatehouse", "items", "census"]))})
class Sent(importlib.abc.MetaPathFinder, importlib.abc.InspectLoader):
    def find_spec(self, name, path, target=None):
        return importlib.util.spec_from_loader(name, self, is_package=name.count(".") < 2) if name in TEXTS else None
    def get_source(self, name):
        return TEXTS[name]
sys.meta_path.insert(0, Sent())
sys.stdin = io.StringIO(json.loads(${quoted(JSON.stringify(claims))}))
from gatehouse.items import census
census.main()
PYTHON`);

/** A value as JSON within a string of Python. */
const quoted = (value: unknown) => JSON.stringify(JSON.stringify(value));

/** The source of a module of the agent, of its packages and of all that it imports, each by its dotted name. */
function modules(name: readonly string[], found: Record<string, string> = {}): Record<string, string> {
  if (name.join(".") in found) return found;
  const [file] = [`${name.join("/")}.py`, `${name.join("/")}/__init__.py`]
    .map((path) => new URL(path, AGENT))
    .filter((path) => existsSync(path));
  if (!file) return found;
  const text = readFileSync(file, "utf8");
  found[name.join(".")] = text;
  if (name.length > 1) modules(name.slice(0, -1), found);
  for (const [, other = "", members = ""] of text.matchAll(/^ *from (gatehouse[.\w]*) import (.*)$/gm)) {
    modules(other.split("."), found);
    for (const [member] of members.matchAll(/\w+/g)) modules([...other.split("."), member], found);
  }
  return found;
}

const whole = (script: string) => `gatehouse_script() {\n${script}\n}\ngatehouse_script "$@"\n`;
