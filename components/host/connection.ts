import type * as pulumi from "@pulumi/pulumi";

/** How to reach a host over SSH. */
export interface Connection {
  /** Name or IP address. */
  address: string;
  /** @default 22 */
  port: number;
  /** @default "root" */
  user: string;
  /** Run everything through `sudo -n`, for an unprivileged user with passwordless sudo. @default false */
  sudo: boolean;
  /** The host's public key, as `ssh-keyscan -t ed25519 ADDRESS` prints it without the name. Nothing else is trusted. */
  hostKey: string;
  /** A private key in OpenSSH format. @default - the SSH agent of $SSH_AUTH_SOCK */
  privateKey?: pulumi.Input<string>;
  /** A host to go through. It is authenticated to with the same key. @default - a direct connection */
  proxy?: { address: string; port: number; user: string; hostKey: string };
}

/** The shell command that reads a script on stdin, as root. */
export const asRoot = (connection: Pick<Connection, "sudo">, command: string): string =>
  connection.sudo ? `sudo -n ${command}` : command;

/** The connection as @pulumi/command takes it. */
export function remoteConnection({ address, port, user, hostKey, privateKey, proxy }: Connection) {
  return {
    host: address,
    port,
    user,
    hostKey,
    privateKey,
    dialErrorLimit: 3,
    ...(proxy && {
      proxy: { host: proxy.address, port: proxy.port, user: proxy.user, hostKey: proxy.hostKey, privateKey },
    }),
  };
}
