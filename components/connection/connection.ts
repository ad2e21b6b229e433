import type * as pulumi from "@pulumi/pulumi";

/** An SSH server and the user to log in as. */
interface Hop {
  /** Name or IP address. */
  address: pulumi.Input<string>;
  /** @default 22 */
  port?: pulumi.Input<number>;
  /** @default "root" */
  user?: string;
  /**
   * The host's public key: the first two words of /etc/ssh/ssh_host_ed25519_key.pub, read on the host's console. No
   * other key is trusted.
   */
  hostKey: pulumi.Input<string>;
}

/** How to reach a host over SSH. Values from another stack may be Outputs. */
export interface Connection extends Hop {
  /** Run everything through `sudo -n`, for an unprivileged user with passwordless sudo. @default false */
  sudo?: boolean;
  /** A private key without a passphrase, in OpenSSH or PEM format, or PKCS#8. @default - the SSH agent of $SSH_AUTH_SOCK */
  privateKey?: pulumi.Input<string>;
  /** A jump host; uses the same private key. @default - a direct connection */
  proxy?: Hop;
}

/** A connection with its defaults filled in. */
export interface CompleteConnection extends CompleteHop {
  sudo: boolean;
  privateKey?: pulumi.Input<string>;
  proxy?: CompleteHop;
}
type CompleteHop = Required<Hop>;

const completeHop = ({ address, port = 22, user = "root", hostKey }: Hop): CompleteHop => ({
  address,
  port,
  user,
  hostKey,
});

/** Fills in the defaults and drops all other properties. */
export const complete = ({ sudo = false, privateKey, proxy, ...hop }: Connection): CompleteConnection => ({
  ...completeHop(hop),
  sudo,
  privateKey,
  proxy: proxy && completeHop(proxy),
});

/** The shell command, run through sudo if the connection uses it. */
export const asRoot = (connection: Pick<CompleteConnection, "sudo">, command: string): string =>
  connection.sudo ? `sudo -n ${command}` : command;

/** The connection in the format of @pulumi/command. */
export function remoteConnection({ address, port, user, hostKey, privateKey, proxy }: CompleteConnection) {
  return {
    host: address,
    port,
    user,
    hostKey,
    privateKey,
    ...PATIENCE,
    ...(proxy && {
      proxy: {
        host: proxy.address,
        port: proxy.port,
        user: proxy.user,
        hostKey: proxy.hostKey,
        privateKey,
        ...PATIENCE,
      },
    }),
  };
}

/**
 * How long a command tries to connect. sshd and firewalls refuse connections for a while after a burst of them
 * (MaxStartups, PerSourcePenalties, a rate limit such as that of `ufw limit`, 30 seconds). The plugin waits 0.1 seconds
 * after the first failure and half as long again after each further one, at most 5: 36 seconds for 15 failures. A host
 * that drops packets is given up after two minutes.
 */
const PATIENCE = { dialErrorLimit: 15, perDialTimeout: 5 };
