// Scripts for a host that may not have the agent yet, and the installation of the agent.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import type * as pulumi from "@pulumi/pulumi";
import { PROTOCOL } from "../../protocol/manifest.ts";
import type { Question } from "../../protocol/things.ts";
import type { Distribution } from "../distribution/distribution.ts";

const PACKAGE = import.meta.resolve("#package.json");
const AGENT = new URL("agent/src/", PACKAGE);
const BOOTSTRAP = new URL("agent/bootstrap/", PACKAGE);
/** Units that complete or roll back an interrupted release at boot: before the units of releases start, and after. */
const RECOVERY = ["gatehouse-recover.service", "gatehouse-recovered.service"];

/** Properties of the host that the configuration relies on. */
export interface Expectations {
  /** Its distribution, such as `platforms.debian`; checked against /etc/os-release. */
  platform: Distribution;
  /** GIDs by group. Each must be the existing group's, or free; undefined if the host chooses. @default none */
  gids?: Record<string, pulumi.Input<number | undefined>>;
}

/** The same with known values. */
export interface KnownExpectations {
  platform: Distribution;
  gids: Record<string, number | undefined>;
}

/** Shell code that lists every problem and exits if the host cannot be used. */
export function preflight({ platform, gids }: KnownExpectations): string {
  const groups = Object.entries(gids).flatMap(([name, gid]) => (gid === undefined ? [] : [`${name}=${gid}`]));
  return `PLATFORM_ID=${platform.id} PLATFORM_VERSION=${platform.version} PYTHON_PACKAGE=${platform.packages.python}
podman_offered() { ${platform.packages.podmanOffered}; }
GROUPS_WANTED='${groups.join(" ")}'
${readFileSync(new URL("preflight.sh", BOOTSTRAP), "utf8")}`;
}

/** Shell code that waits until cloud-init has finished, whether with errors or without; none without a wait. */
const finished = (wait: number): string =>
  wait === 0 ? "" : `WAIT=${wait}\n${readFileSync(new URL("finished.sh", BOOTSTRAP), "utf8")}`;

/**
 * Shell script that installs the agent; its argument becomes the host's name in due numbers. It runs nothing before its
 * last line has arrived.
 *
 * @param wait seconds to wait for cloud-init.
 */
export const installation = (expectations: KnownExpectations, wait = 0): string =>
  whole(`${finished(wait)}${preflight(expectations)}
exec python3 - "$1" <<'PYTHON'
${readFileSync(new URL("install.py", BOOTSTRAP), "utf8")}
install(json.loads(${sources()}), sys.argv[1])
PYTHON`);

/** The agent's sources as a Python literal, read once. */
function sources(): string {
  if (read) return read;
  const names = readdirSync(AGENT, { encoding: "utf8", recursive: true }).filter((name) => name.endsWith(".py"));
  const texts = (folder: URL, names: readonly string[]) =>
    Object.fromEntries(names.map((name) => [name, readFileSync(new URL(name, folder), "utf8")]));
  read = quoted({ protocol: PROTOCOL, files: texts(AGENT, names), units: texts(BOOTSTRAP, RECOVERY) });
  return read;
}
let read: string | undefined;

/**
 * Shell script that inspects the host and prints one line of JSON. A host without the agent gets a new name, so that
 * every item in the state is due again, even if an older snapshot of the machine was restored.
 *
 * @param wait seconds to wait for cloud-init.
 */
export const inspection = (expectations: KnownExpectations, wait = 0): string =>
  whole(`${finished(wait)}${preflight(expectations)}
if [ -x /usr/local/bin/gatehouse ]; then exec gatehouse facts; fi
printf '{"protocol":0,"machine":"%s","items":{}}\\n' "$(od -An -N6 -tx1 /dev/urandom | tr -d ' ')"`);

/**
 * Shell script that looks up the names in these claims on the host, records the wanted releases, and prints one line of
 * JSON. It includes the agent's modules, because the host may have no agent or an older one.
 */
export const lookup = (question: Question): string =>
  whole(`exec python3 - <<'PYTHON'
import importlib.abc, importlib.util, io, json, sys
TEXTS = json.loads(${quoted(modules(["gatehouse", "items", "census"]))})
class Sent(importlib.abc.MetaPathFinder, importlib.abc.InspectLoader):
    def find_spec(self, name, path, target=None):
        return importlib.util.spec_from_loader(name, self, is_package=name.count(".") < 2) if name in TEXTS else None
    def get_source(self, name):
        return TEXTS[name]
sys.meta_path.insert(0, Sent())
sys.stdin = io.StringIO(json.loads(${quoted(JSON.stringify(question))}))
from gatehouse.items import census
census.main()
PYTHON`);

/** A value as JSON inside a Python string literal. */
const quoted = (value: unknown) => JSON.stringify(JSON.stringify(value));

/** Source of a module of the agent, its packages and all its imports, by dotted name. */
function modules(name: readonly string[], found: Record<string, string> = {}): Record<string, string> {
  if (name.join(".") in found) return found;
  const [file] = [`${name.join("/")}.py`, `${name.join("/")}/__init__.py`]
    .map((path) => new URL(path, AGENT))
    .filter((path) => existsSync(path));
  if (!file) return found;
  const text = readFileSync(file, "utf8");
  found[name.join(".")] = text;
  if (name.length > 1) modules(name.slice(0, -1), found);
  for (const [, other = "", members = ""] of text.matchAll(/^ *from (gatehouse[.\w]*) import (\([^)]*\)|.*)$/gm)) {
    modules(other.split("."), found);
    for (const [member] of members.matchAll(/\w+/g)) modules([...other.split("."), member], found);
  }
  return found;
}

const whole = (script: string) => `gatehouse_script() {\n${script}\n}\ngatehouse_script "$@"\n`;
