import { z } from "zod";
import { PLAIN } from "../schema/partly.ts";
import { address, hostKey, loginName, port, seconds } from "../schema/scalars.ts";

/** An SSH server and the user to log in as. */
export const hop = {
  address: address.meta({ description: "IP address or host name.", examples: ["192.0.2.10"] }),
  port: port.default(22).meta({ description: "Port of sshd." }),
  user: loginName.default("root").meta({ description: "User to log in as." }),
  hostKey: hostKey.meta({
    description: "Public host key; no other key is trusted.",
    examples: ["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI..."],
  }),
};

/** How to reach a host, without the private key. */
export const connectionSettings = {
  ...hop,
  sudo: z
    .boolean()
    .default(false)
    .meta({ description: "Whether to run everything through `sudo -n`, for a user with passwordless sudo." }),
  wait: seconds
    .max(3600, { error: ({ input }) => `expected at most 3600 seconds, got ${input}` })
    .default(0)
    .meta({
      description:
        "Seconds that an update waits for sshd to accept the login, and for cloud-init to finish if the host has it: for a server that the same program creates. A preview does not wait.",
      unit: "seconds",
      examples: [300],
    }),
  proxy: z
    .strictObject(hop)
    .optional()
    .meta({
      ...PLAIN,
      description: "Jump host, which uses the same SSH private key. Without it, the connection is direct.",
      examples: [{ address: "198.51.100.7", user: "deploy", hostKey: "ssh-ed25519 AAAA..." }],
    }),
};
