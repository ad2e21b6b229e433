// The scripts that reach a host before its agent does, and the agent itself.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { PROTOCOL } from "./manifest.ts";
import type { Platform } from "./platforms/platform.ts";
import type { Claim } from "./things.ts";

const here = (path: string) => new URL(path, import.meta.url);
const AGENT = here("../../templates/usr/local/lib/gatehouse/agent/");
const UNITS = here("../../templates/etc/systemd/system/");
/** What finishes or undoes an interrupted release at boot: before the units of releases start, and after. */
const RECOVERY = ["gatehouse-recover.service", "gatehouse-recovered.service"];

/** What the configuration takes for granted about a host. */
export interface Expectations {
  platform: Platform;
  /** The GIDs that groups must have, or be free; undefined where the host chooses. @default none */
  gids?: Record<string, number | undefined>;
}

/** Lines of shell that stop, with every problem named, on a host that cannot be used. */
export function preflight({ platform, gids = {} }: Expectations): string {
  const groups = Object.entries(gids).flatMap(([name, gid]) => (gid === undefined ? [] : [`${name}=${gid}`]));
  return `PLATFORM_ID=${platform.id} PLATFORM_VERSION=${platform.version} PYTHON_PACKAGE=${platform.packages.python}
podman_offered() { ${platform.packages.podmanOffered}; }
GROUPS_WANTED='${groups.join(" ")}'
${readFileSync(here("preflight.sh"), "utf8")}`;
}

/** Shell that installs the agent; its argument names the host from then on. Nothing of it runs before its last line has arrived. */
export function installation(expectations: Expectations): string {
  const names = readdirSync(AGENT).filter((name) => name.endsWith(".py"));
  const texts = (folder: URL, names: readonly string[]) =>
    Object.fromEntries(names.map((name) => [name, readFileSync(new URL(name, folder), "utf8")]));
  const agent = { protocol: PROTOCOL, files: texts(AGENT, names), units: texts(UNITS, RECOVERY) };
  const body = JSON.stringify(JSON.stringify(agent));
  return whole(`${preflight(expectations)}
exec python3 - "$1" <<'PYTHON'
${readFileSync(here("install.py"), "utf8")}
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
 * agent's own modules: the host may have no agent, or one of before.
 */
export const question = (claims: readonly Claim[]): string =>
  whole(`exec python3 - <<'PYTHON'
import io, json, sys, types
sys.stdin = io.StringIO(json.loads(${quoted(claims)}))
for name, text in json.loads(json.loads(${quoted(modules("census"))})):
    sys.modules[name] = module = types.ModuleType(name)
    exec(compile(text, name, "exec"), module.__dict__)
sys.modules["census"].main()
PYTHON`);

/** A value as JSON within a string of Python's. */
const quoted = (value: unknown) => JSON.stringify(JSON.stringify(JSON.stringify(value)));

/** A module of the agent and all that it imports, each behind what it needs. */
function modules(name: string, found = new Map<string, string>()): [string, string][] {
  const text = readFileSync(new URL(`${name}.py`, AGENT), "utf8");
  for (const [, other] of text.matchAll(/^(?:import|from) (\w+)/gm))
    if (other && !found.has(other) && existsSync(new URL(`${other}.py`, AGENT))) modules(other, found);
  return [...found.set(name, text)];
}

const whole = (script: string) => `gatehouse_script() {\n${script}\n}\ngatehouse_script "$@"\n`;
