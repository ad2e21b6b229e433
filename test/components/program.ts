// Runs the program, or a part of it, without an engine, and records every requested resource.
import * as pulumi from "@pulumi/pulumi";
import { vi } from "vitest";
import * as inspection from "../../components/connection/inspect.ts";
import { quiet } from "../../components/sdk/quiet.ts";
import type { Facts } from "../../protocol/facts.ts";

/** A resource as requested by the program. Secrets and unknowns in `inputs` appear as SECRET(...) and UNKNOWN. */
export interface Recorded {
  type: string;
  /**
   * Of an item's command `KIND-NAME`, as on the host: `release-caddy`; `host-agent` of the agent's. Of all others the
   * name in the program.
   */
  name: string;
  /** As the engine would form it: the mocks leave out all but the last of its parents' types. */
  urn: string;
  /** What is different in its former URNs; an empty name is the present one. */
  aliases: { name: string; noParent: boolean }[];
  custom: boolean;
  /** The parent's name; undefined at the top level of the program. */
  parent: string | undefined;
  /** Undefined at the top level of the program. */
  parentUrn: string | undefined;
  inputs: Record<string, unknown>;
  /** The names of the custom resources that it waits for. */
  dependsOn: string[];
  options: {
    ignoreChanges: string[];
    additionalSecretOutputs: string[];
    hideDiffs: string[];
    deleteBeforeReplace: boolean;
    protect: boolean;
    deletedWith: string;
    retainOnDelete: boolean;
  };
}

export interface Run {
  resources: Recorded[];
  /** The custom resource with this name; throws if there is none. */
  named(name: string): Recorded;
  /** The calls of pulumi.log.warn, with their resources. */
  warnings: { message: string; resource: string | undefined }[];
}

export class Secret {
  readonly value: unknown;
  constructor(value: unknown) {
    this.value = value;
  }
}
export const UNKNOWN = Symbol("unknown until the update");

export interface Settings {
  /** The stack's configuration; the keys have no project prefix. */
  config: Record<string, unknown>;
  /** Its secret values besides the SSH key. @default nothing */
  secrets?: Record<string, string>;
  /** @default false, an update */
  preview?: boolean;
  /** The host's facts; without them, drift detection is off. */
  facts?: Facts;
  /** Answers of the agent by `KIND-NAME`, instead of the default ones. */
  answers?: Record<string, object>;
  /** Outputs of other stacks, by the stack's name; `undefined` if the engine has not read them yet. */
  stacks?: Record<string, Record<string, unknown> | undefined>;
}

export const HOST_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIDbbUELMr/kKupIoIsTBkN3byX80tDYTvoaVVj3TtRJn";
export const SSH_KEY =
  "-----BEGIN OPENSSH PRIVATE KEY-----\nthe private key of the tests\n-----END OPENSSH PRIVATE KEY-----\n";

/** The smallest stack that works. */
export const SMALL = {
  host: { address: "192.0.2.10", hostKey: HOST_KEY },
  authentik: { domain: "auth.example.org", version: "2026.8.3" },
};

const GIDS: Record<string, number> = { "postgres-clients": 987, "valkey-clients": 986 };

function answer(kind: string, name: string): object {
  if (kind === "group") return { name, gid: GIDS[name] ?? 980 };
  if (kind === "account") return { name, uid: 985, gid: 985, groups: Object.keys(GIDS) };
  if (kind === "key") return { name, certificate: `certificate of ${name}\n` };
  if (kind === "packages") return { versions: { [name]: "1.2.3-1" } };
  return { release: name, generation: 3, changed: [], units: {} };
}

const COMMAND = "command:remote:Command";
const READ_STACK = "pulumi:pulumi:readStackOutputs";

function stackOf(name: string, { stacks = {} }: Settings): object {
  // The SDK prints the `details` of a gRPC error.
  if (!(name in stacks)) throw Object.assign(new Error(), { details: `unknown stack "${name}"` });
  const outputs = stacks[name];
  if (!outputs) return { name };
  const secretOutputNames = Object.keys(outputs).filter((key) => pulumi.Output.isInstance(outputs[key]));
  return { name, outputs, secretOutputNames };
}

function stateOf(type: string, name: string, inputs: Record<string, unknown>, settings: Settings): object {
  if (type === "pulumi:pulumi:StackReference") return stackOf(name, settings);
  if (settings.preview && type !== COMMAND) return inputs;
  if (type === "random:index/randomPassword:RandomPassword")
    return { ...inputs, result: pulumi.secret(`password-of-${name}`) };
  if (type === "random:index/randomBytes:RandomBytes") return { ...inputs, base64: "c2FsdC1vZi10aGUtdGVzdHM=" };
  const asked = /gatehouse (group|account|packages|key|release) ([\w-]+)/.exec(String(inputs.create));
  if (type !== COMMAND || settings.preview) return inputs;
  if (!asked) return { ...inputs, stdout: '{"agent": "0123456789abcdef"}', stderr: "" };
  const [, kind = "", item = ""] = asked;
  const stdout = JSON.stringify(settings.answers?.[`${kind}-${item}`] ?? answer(kind, item));
  // The engine does this for additionalSecretOutputs; the mocks do not.
  return { ...inputs, stdout: isSecret(inputs.stdin) ? pulumi.secret(stdout) : stdout, stderr: "" };
}

let runs = 0;

/** Evaluates index.ts again, with its already loaded imports; returns its exports. */
export const evaluated = (): Promise<object> => import(/* @vite-ignore */ `../../index.ts?run=${++runs}`);

/** Runs index.ts; also returns its exports. */
export async function runProgram(settings: Settings): Promise<Run & { outputs: Record<string, unknown> }> {
  const { facts } = settings;
  const inspect = vi.spyOn(inspection, "inspect").mockImplementation(async () => facts);
  vi.stubEnv("GATEHOUSE_DRIFT", facts ? "" : "off");
  let exported = {};
  const run = await record(settings, async () => {
    exported = await evaluated();
  });
  const outputs = (await resolved(exported)) as Record<string, unknown>;
  vi.unstubAllEnvs();
  inspect.mockRestore();
  return { ...run, outputs };
}

/** Runs a body that creates resources, and waits until all of them have been requested. */
export async function record(settings: Settings, body: () => unknown): Promise<Run> {
  quiet();
  const resources: Recorded[] = [];
  const names = new Map<string, string>();
  const whole = new Map<string, string>();
  const warnings: Run["warnings"] = [];
  const secrets = { sshKey: SSH_KEY, ...settings.secrets };
  pulumi.runtime.setAllConfig(
    Object.fromEntries(
      Object.entries({ ...secrets, ...settings.config }).map(([key, value]) => [
        `gatehouse:${key}`,
        typeof value === "string" ? value : JSON.stringify(value),
      ]),
    ),
    ["gatehouse:authentikSecrets", ...Object.keys(secrets).map((key) => `gatehouse:${key}`)],
  );
  await pulumi.runtime.setMocks(
    {
      newResource: ({ type, name, inputs, custom }) => ({
        id: custom ? `id-of-${name}` : undefined,
        state: stateOf(type, name, inputs, settings),
      }),
      call: ({ token, inputs }) => {
        if (token === READ_STACK) return stackOf(inputs.name, settings);
        throw new Error(`the program calls ${token}`);
      },
    },
    "gatehouse",
    "test",
    settings.preview ?? false,
  );
  watch((request, urn) => {
    const inputs = plain(request.getObject().toJavaScript()) as Recorded["inputs"];
    const isAgent = request.getType() === COMMAND && whole.get(request.getParent())?.includes("gatehouse:index:Host::");
    const name = isAgent ? "host-agent" : (itemOf(inputs) ?? request.getName());
    names.set(urn, name);
    const parentUrn = whole.get(request.getParent());
    const type = [...(parentUrn ? [parentUrn.split("::")[2]] : []), request.getType()].join("$");
    whole.set(urn, `urn:pulumi:test::gatehouse::${type}::${request.getName()}`);
    resources.push({
      type: request.getType(),
      name,
      urn: whole.get(urn) as string,
      aliases: request.getAliasesList().map((alias) => {
        const spec = alias.getSpec();
        return { name: spec?.getName() ?? "", noParent: spec?.getNoparent() ?? false };
      }),
      custom: request.getCustom(),
      parent: names.get(request.getParent()),
      parentUrn,
      inputs,
      dependsOn: request
        .getDependenciesList()
        .map((dependency) => names.get(dependency) ?? dependency)
        .sort(),
      options: {
        ignoreChanges: request.getIgnorechangesList(),
        additionalSecretOutputs: request.getAdditionalsecretoutputsList(),
        hideDiffs: request.getHidediffsList(),
        deleteBeforeReplace: request.getDeletebeforereplace(),
        protect: request.getProtect(),
        deletedWith: request.getDeletedwith(),
        retainOnDelete: request.getRetainondelete(),
      },
    });
  });
  const warn = vi.spyOn(pulumi.log, "warn").mockImplementation(async (message, resource) => {
    warnings.push({ message, resource: (resource as { __name?: string } | undefined)?.__name });
  });
  // Otherwise the SDK parses the call stack for each resource, only for the engine.
  const callsites = vi.spyOn(pulumi.Resource as unknown as { callsites(): object[] }, "callsites").mockReturnValue([]);
  try {
    await body();
    await pulumi.runtime.disconnect();
  } finally {
    warn.mockRestore();
    callsites.mockRestore();
  }
  resources.sort((a, b) => (`${a.type} ${a.name}` < `${b.type} ${b.name}` ? -1 : 1));
  return {
    resources,
    warnings,
    named(name) {
      const found = resources.find((resource) => resource.custom && resource.name === name);
      if (!found) throw new Error(`no resource ${name}; there are ${resources.map((one) => one.name).join(", ")}`);
      return found;
    },
  };
}

/** `KIND-NAME` of the item on the host that a command applies; undefined for other resources. */
function itemOf({ create, delete: removal }: Recorded["inputs"]): string | undefined {
  const [, kind, name] = /^gatehouse (group|account|packages|key|release) (\S+)/.exec(String(create)) ?? [];
  if (kind) return `${kind}-${name}`;
  // The other command is unknown in a preview in which its document is.
  const [, release] = /^gatehouse remove (\S+)/.exec(String(removal)) ?? [];
  return release && `release-${release}`;
}

/** The wire form of a request; the mocks' own callback sees only its inputs. */
interface Request {
  getType(): string;
  getName(): string;
  getCustom(): boolean;
  getParent(): string;
  getObject(): { toJavaScript(): unknown };
  getAliasesList(): { getSpec(): { getName(): string; getNoparent(): boolean } | undefined }[];
  getDependenciesList(): string[];
  getIgnorechangesList(): string[];
  getAdditionalsecretoutputsList(): string[];
  getHidediffsList(): string[];
  getDeletebeforereplace(): boolean;
  getProtect(): boolean;
  getDeletedwith(): string;
  getRetainondelete(): boolean;
}
type Callback = (error: unknown, response?: { getUrn(): string }) => void;
interface Monitor {
  registerResource(request: Request, callback: Callback): Promise<void>;
}

function watch(seen: (request: Request, urn: string) => void): void {
  const monitor = (pulumi.runtime as unknown as { getMonitor(): Monitor }).getMonitor();
  const register = monitor.registerResource.bind(monitor);
  monitor.registerResource = (request, callback) =>
    register(request, (error, response) => {
      if (response) seen(request, response.getUrn());
      // The SDK includes it in the debug log, which would print the agent's sources each time.
      if (response) response.toString = () => "a response";
      callback(error, response);
    });
}

const SIGNATURE = "4dabf18193072939515e22adb298388d";
const SECRET = "1b47061264138c4ac30d75fd1eb44270";
const UNKNOWN_VALUE = "04da6b54-80e4-46f7-96ec-b56ff0331ba9";

const isSecret = (value: unknown) =>
  typeof value === "object" && (value as Record<string, unknown> | null)?.[SIGNATURE] === SECRET;

function plain(value: unknown): unknown {
  if (value === UNKNOWN_VALUE) return UNKNOWN;
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== "object" || value === null) return value;
  const table = value as Record<string, unknown>;
  if (isSecret(table)) return new Secret(plain(table.value));
  return Object.fromEntries(Object.entries(table).map(([key, inner]) => [key, plain(inner)]));
}

/** Outputs resolved at every depth; secret ones as Secret, unknown ones as UNKNOWN. */
export async function resolved(value: unknown): Promise<unknown> {
  if (pulumi.Output.isInstance(value)) {
    const output = value as pulumi.Output<unknown> & { promise(): Promise<unknown>; isSecret: Promise<boolean> } & {
      isKnown: Promise<boolean>;
    };
    if (!(await output.isKnown)) return UNKNOWN;
    const inner = await resolved(await output.promise());
    return (await output.isSecret) ? new Secret(inner) : inner;
  }
  if (Array.isArray(value)) return Promise.all(value.map(resolved));
  if (typeof value !== "object" || value === null) return value;
  const entries = Object.entries(value).map(async ([key, inner]) => [key, await resolved(inner)] as const);
  return Object.fromEntries(await Promise.all(entries));
}
