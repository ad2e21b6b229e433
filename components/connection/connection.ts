import type * as pulumi from "@pulumi/pulumi";

/** An SSH server and the user to log in as. */
interface Hop {
  /** Name or IP address. */
  address: pulumi.Input<string>;
  /** @default 22 */
  port?: pulumi.Input<number>;
  /** @default "root" */
  user?: pulumi.Input<string>;
  /**
   * The host's public key: the first two words of /etc/ssh/ssh_host_ed25519_key.pub, read on the host's console. No
   * other key is trusted.
   */
  hostKey: pulumi.Input<string>;
}

/** How to reach a host over SSH. Each value may be an Output, such as the address of a server of the same program. */
export interface Connection extends Hop {
  /** Run everything through `sudo -n`, for an unprivileged user with passwordless sudo. @default false */
  sudo?: pulumi.Input<boolean>;
  /** A private key without a passphrase, in OpenSSH or PEM format, or PKCS#8. @default - the SSH agent of $SSH_AUTH_SOCK */
  privateKey?: pulumi.Input<string>;
  /**
   * Seconds that an update waits for sshd to accept the login, and for cloud-init to finish if the host has it: for a
   * server that the same program creates. A preview does not wait. @default 0 - sshd must answer; some tries follow if
   * it refuses a connection
   */
  wait?: pulumi.Input<number>;
  /** A jump host; uses the same private key. @default - a direct connection */
  proxy?: Hop;
}

/** A connection with its defaults filled in. */
export interface CompleteConnection extends CompleteHop {
  sudo: pulumi.Input<boolean>;
  wait: pulumi.Input<number>;
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
export const complete = ({ sudo = false, wait = 0, privateKey, proxy, ...hop }: Connection): CompleteConnection => ({
  ...completeHop(hop),
  sudo,
  wait,
  privateKey,
  proxy: proxy && completeHop(proxy),
});

/** The shell command, run through sudo if the connection uses it. */
export const asRoot = (connection: { sudo: boolean }, command: string): string =>
  connection.sudo ? `sudo -n ${command}` : command;

/** The connection in the format of @pulumi/command. */
export function remoteConnection({ address, port, user, hostKey, privateKey, proxy }: CompleteConnection, wait = 0) {
  const patience = { dialErrorLimit: triesIn(wait), perDialTimeout: 5 };
  return {
    host: address,
    port,
    user,
    hostKey,
    privateKey,
    ...patience,
    ...(proxy && {
      proxy: {
        host: proxy.address,
        port: proxy.port,
        user: proxy.user,
        hostKey: proxy.hostKey,
        privateKey,
        ...patience,
      },
    }),
  };
}

/**
 * How often a command tries to connect. sshd and firewalls refuse connections for a while after a burst of them
 * (MaxStartups, PerSourcePenalties, a rate limit such as that of `ufw limit`, 30 seconds). The plugin waits 0.1 seconds
 * after the first failure and half as long again after each further one, at most 5: 36 seconds for 15 failures. A host
 * that drops packets is given up after two minutes.
 *
 * @param wait the least number of seconds in which a host may begin to answer.
 */
function triesIn(wait: number): number {
  let tries = 0;
  for (let seconds = 0; tries < 15 || seconds < wait; tries++) seconds += Math.min(0.1 * 1.5 ** tries, 5);
  return tries;
}
