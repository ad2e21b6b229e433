// Reads a configuration like a run of the program, without one.
import * as pulumi from "@pulumi/pulumi";
import { load } from "../../components/config/load.ts";

/** A value in the configuration of a stack, or a table of them. */
export type Table = { [key: string]: unknown };

/** The smallest configuration that is accepted. */
export const SMALL: Table = {
  host: {
    address: "192.0.2.10",
    hostKey: "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIDbbUELMr/kKupIoIsTBkN3byX80tDYTvoaVVj3TtRJn",
  },
  authentik: { domain: "auth.example.org", version: "2026.8.3" },
};

/** A copy of a table with values set at paths such as `host.port`; undefined removes a key. */
export function changed(table: Table, changes: Record<string, unknown>): Table {
  const copy = structuredClone(table);
  for (const [path, value] of Object.entries(changes)) {
    const names = path.split(".");
    const last = names.pop() as string;
    let at = copy;
    for (const name of names) {
      at[name] ??= {};
      at = at[name] as Table;
    }
    if (value === undefined) delete at[last];
    else at[last] = value;
  }
  return copy;
}

/** Pulumi passes tables, numbers and booleans as JSON. A key with another namespace keeps it. */
export async function read(table: Table, secretKeys: string[] = [], stack = "test"): Promise<ReturnType<typeof load>> {
  const mocks = { newResource: () => ({ id: undefined, state: {} }), call: () => ({}) };
  await pulumi.runtime.setMocks(mocks, "gatehouse", stack);
  const text = (value: unknown) => (typeof value === "string" ? value : JSON.stringify(value));
  pulumi.runtime.setAllConfig(
    Object.fromEntries(
      Object.entries(table).map(([key, value]) => [key.includes(":") ? key : `gatehouse:${key}`, text(value)]),
    ),
    secretKeys.map((key) => `gatehouse:${key}`),
  );
  return load();
}

/** The lines of a refusal without its first and last line, and without indentation; empty if everything is accepted. */
export async function faults(table: Table, secretKeys: string[] = []): Promise<string[]> {
  try {
    await read(table, secretKeys);
    return [];
  } catch (error) {
    if (!pulumi.RunError.isInstance(error)) throw error;
    return error.message
      .split("\n")
      .slice(1, -1)
      .map((line) => line.trim());
  }
}
