// A throw-away host on this machine in place of a rented server.
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { local } from "@pulumi/command";
import * as pulumi from "@pulumi/pulumi";

const SCRIPT = fileURLToPath(new URL("lab-server", import.meta.url));

/** The server, how to connect to it, and where it finds authentik: its image cannot be pulled without Internet access. */
export function newServer(name: string) {
  const commands = { create: `'${SCRIPT}' create ${name}`, delete: `'${SCRIPT}' delete ${name}` };
  const resource = new local.Command(name, { ...commands, addPreviousOutputInEnv: false });
  const made = resource.stdout.apply((text) => JSON.parse(text) as { address: string; hostKey: string; key: string });
  const connection = {
    address: made.address,
    hostKey: made.hostKey,
    privateKey: pulumi.secret(made.key.apply((path) => readFileSync(path, "utf8"))),
  };
  return { resource, connection, authentik: { image: "localhost:5000/authentik-stand-in" } };
}
