// A throw-away host for tests. Checks run inside it without SSH, so that tests can count SSH sessions.
import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const TOOL = fileURLToPath(new URL("../../lab/lab", import.meta.url));
const LOAD = fileURLToPath(new URL("../../lab/authentik/load", import.meta.url));
export const IMAGE = "localhost:5000/authentik-stand-in";
/** An image with Python as its entry point. */
export const PYTHON = "localhost/python:1";

/** Whether to run all tests: `make test-all`. */
export const EXHAUSTIVE = process.env.GATEHOUSE_EXHAUSTIVE === "1";
/** The first cases of a mechanism; `make test-all` runs all of them. */
export const usually = <Case>(count: number, cases: readonly Case[]): readonly Case[] =>
  EXHAUSTIVE ? cases : cases.slice(0, count);
/** The unit has finished its automatic backup after the first `up`, a restore or an upgrade. */
export const BACKED_UP = "systemctl is-active gatehouse-backup.service | grep -qx inactive";

export interface Ran {
  status: number;
  /** stdout and stderr. */
  text: string;
}

/** Runs a program to its end; never throws. */
export const run = (
  program: string,
  args: string[],
  { env, cwd, input }: { env?: NodeJS.ProcessEnv; cwd?: string; input?: string } = {},
): Promise<Ran> =>
  new Promise((resolve) => {
    let text = "";
    const options = { env: { ...process.env, ...env }, cwd, maxBuffer: 64 << 20 };
    const child = execFile(program, args, options, (error) =>
      resolve({ status: error ? (typeof error.code === "number" ? error.code : 1) : 0, text }),
    );
    for (const stream of [child.stdout, child.stderr]) stream?.on("data", (chunk) => (text += chunk));
    // A program may exit before it has read its input; the exit status reports whether that is an error.
    child.stdin?.on("error", () => {});
    child.stdin?.end(input);
  });

async function must(program: string, args: string[], env?: NodeJS.ProcessEnv): Promise<string> {
  const { status, text } = await run(program, args, { env });
  if (status !== 0) throw new Error(`${program} ${args.join(" ")} ended with ${status}:\n${text}`);
  return text.trim();
}

export class Lab {
  readonly name: string;
  readonly address: string;
  readonly hostKey: string;
  readonly keyFile: string;
  /** Its address on the segment that it shares with others; empty without one. */
  readonly private: string;
  private constructor(name: string, env: string) {
    const value = (key: string) => new RegExp(`^${key}="?([^"\n]*)`, "m").exec(env)?.[1] ?? "";
    this.name = name;
    this.address = value("LAB_IP");
    this.hostKey = value("LAB_HOST_KEY");
    this.keyFile = value("LAB_KEY");
    this.private = value("LAB_PRIVATE");
  }

  /** A fresh host, which can pull these versions of the authentik stand-in. */
  static create(purpose: string, ...versions: string[]): Promise<Lab> {
    return Lab.#create(purpose, versions);
  }

  /** The same with Podman and the services' dependencies installed, for tests that are not about installation. */
  static stocked(purpose: string, ...versions: string[]): Promise<Lab> {
    return Lab.#create(purpose, versions, "stocked");
  }

  /** Stocked hosts on one segment, which accept the key of the first one. */
  static async segment(purpose: string, names: readonly string[], ...versions: string[]): Promise<Lab[]> {
    const labs = await Promise.all(
      names.map((name) => Lab.at(`${purpose}-${name}-${process.pid}`, "stocked", `${purpose}${process.pid}`)),
    );
    const key = readFileSync(`${labs[0]?.keyFile}.pub`, "utf8").trim();
    await Promise.all(labs.map((lab) => lab.sh(`echo '${key}' >>/root/.ssh/authorized_keys`)));
    await Promise.all(labs.map((lab) => must(LOAD, [lab.name, ...versions])));
    return labs;
  }

  static async #create(purpose: string, versions: readonly string[], platform?: string): Promise<Lab> {
    const lab = await Lab.at(`${purpose}-${process.pid}`, platform);
    if (versions.length > 0) await must(LOAD, [lab.name, ...versions]);
    return lab;
  }

  /** The host with this name, started if it is not running. */
  static async at(name: string, platform = process.env.LAB_PLATFORM, segment?: string): Promise<Lab> {
    return new Lab(name, await must(TOOL, ["up", name], { LAB_PLATFORM: platform, LAB_SEGMENT: segment }));
  }

  /** This machine's end of the cable to the host. */
  get gateway(): string {
    return this.address.replace(/\d+$/, "1");
  }

  get key(): string {
    return readFileSync(this.keyFile, "utf8");
  }

  /** The output of a shell command in the host, which must succeed. */
  async sh(command: string): Promise<string> {
    return must(TOOL, ["enter", this.name, "sh", "-c", command]);
  }

  /** Waits until a shell command succeeds, for up to five minutes. */
  /** Makes the image `PYTHON`: that of the stand-in contains Python, and has its own entry point. */
  async addPython(): Promise<void> {
    await this.sh(
      `podman create -q --name base ${IMAGE}:2026.8.3 && podman commit -q --change 'ENTRYPOINT ["python3"]' base ${PYTHON} && podman rm base`,
    );
  }

  awaits(condition: string): Promise<string> {
    return this.sh(`for i in $(seq 1000); do if ${condition}; then exit; fi; sleep 0.3; done; exit 1`);
  }

  /** Runs a shell command that may fail. */
  try(command: string): Promise<Ran> {
    return run(TOOL, ["enter", this.name, "sh", "-c", command]);
  }

  /** The same with bash, as in a login session. */
  bash(command: string): Promise<Ran> {
    return run(TOOL, ["enter", this.name, "bash", "-c", command]);
  }

  /** `hard` cuts the power instead of shutting down. */
  async reboot({ hard = false } = {}): Promise<void> {
    await must(TOOL, ["stop", this.name, ...(hard ? ["--hard"] : [])]);
    await must(TOOL, ["up", this.name]);
  }

  /** Cuts the power without a word to others: first the cables, so that no connection is closed. */
  async vanish(): Promise<void> {
    await must(TOOL, ["cut", this.name]);
    await must(TOOL, ["stop", this.name, "--hard"]);
  }

  /** Starts it again from its disk. */
  async start(): Promise<void> {
    await must(TOOL, ["up", this.name]);
  }

  async destroy(): Promise<void> {
    await must(TOOL, ["down", this.name]);
  }

  /** The number of SSH logins so far. */
  async sessions(): Promise<number> {
    return Number(
      await this.sh("journalctl --sync; journalctl --unit=ssh --output=cat | grep -c 'Accepted publickey' || true"),
    );
  }

  /** `mode owner:group` of a path. */
  stat(path: string): Promise<string> {
    return this.sh(`stat -c '%a %U:%G' '${path}'`);
  }

  async gid(group: string): Promise<number> {
    return Number((await this.sh(`getent group ${group}`)).split(":")[2]);
  }

  /** A property of each unit. */
  async units(property: string, units: readonly string[]): Promise<Record<string, string>> {
    const text = await this.sh(`systemctl show --property=${property} ${units.join(" ")}`);
    const values = [...text.matchAll(/^\w+=(.*)$/gm)].map(([, value = ""]) => value);
    return Object.fromEntries(units.map((unit, index) => [unit, values[index] ?? ""]));
  }
}
