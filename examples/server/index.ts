// A server and the platform on it, in one program: its address is not known before the server exists.
import * as pulumi from "@pulumi/pulumi";
import { Gatehouse, type GatehouseArgs } from "gatehouse";
// A throw-away host on this machine. hetzner.ts creates one at Hetzner Cloud.
import { newServer } from "./lab.ts";

const config = new pulumi.Config();
const server = newServer(config.require("name"));

const args: GatehouseArgs = {
  // A server answers some seconds after it was created, and cloud-init works on it for longer.
  host: { ...server.connection, wait: 300 },
  authentik: { ...server.authentik, domain: config.require("domain"), version: "2026.8.3" },
  caddy: { tls: "internal" },
};
// In a preview without the server, there is nothing to inspect. An update continues here once the server is ready.
const facts = await Gatehouse.inspect(args);
// The server is deleted with everything on it, so nothing is removed from it before.
const platform = new Gatehouse("platform", { ...args, facts }, { deletedWith: server.resource });

export const address = server.connection.address;
export const url = platform.authentik.url;
