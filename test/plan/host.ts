// A fake host: an SSH server that answers like the agent, so that a real `up` produces a real state.
import { createHash } from "node:crypto";
import { type Sshd, sshd } from "../unit/sshd.ts";

const IDS: Record<string, number> = { "postgres-clients": 987, "valkey-clients": 986, authentik: 985 };

const MACHINE = "0123456789ab";
const REQUEST = /^gatehouse (\w+) (\S+) --due (\S+)/;

/**
 * Accepts every document; a release's generation counts the changes of its document. It never drifts.
 *
 * @param failing the names of the items that it does not apply.
 */
export async function host(failing: ReadonlySet<string> = new Set()): Promise<Sshd> {
  const releases = new Map<string, { document: string; generation: number }>();
  const items: Record<string, { due: string; document: string }> = {};
  const answer = (command: string, document: string): object => {
    if (command === "sh -s")
      return document.includes("gatehouse facts") ? { protocol: 1, machine: MACHINE, items } : [];
    const [, kind, name = "", due = ""] = REQUEST.exec(command) ?? [];
    if (failing.has(name)) return {};
    if (kind) items[`${kind}-${name}`] = { due, document: createHash("sha256").update(document).digest("hex") };
    if (kind === "group") return { name, gid: IDS[name] };
    if (kind === "account") return { name, uid: IDS[name], gid: IDS[name], groups: [] };
    if (kind === "packages") return { versions: { [name]: "1.2.3-1" } };
    if (kind !== "release") return {};
    const before = releases.get(name);
    const generation = (before?.generation ?? 0) + (before?.document === document ? 0 : 1);
    releases.set(name, { document, generation });
    return { release: name, generation, changed: [], units: {} };
  };
  const server: Sshd = await sshd({
    get stdout() {
      const { command = "", stdin = "" } = server.asked.at(-1) ?? {};
      return `${JSON.stringify(answer(command, stdin))}\n`;
    },
    get status() {
      const [, , name = ""] = REQUEST.exec(server.asked.at(-1)?.command ?? "") ?? [];
      return failing.has(name) ? 3 : 0;
    },
  });
  return server;
}
