import * as pulumi from "@pulumi/pulumi";
import type { GroupHandle } from "../host/group.ts";
import { known } from "../sdk/known.ts";
import { type PlatformFacts, platformSchema } from "./contract.ts";
import { misfit, secret, unreadable } from "./errors.ts";

/**
 * The platform that another stack has deployed, for a program that puts something of its own on the same host.
 *
 * Every value is an Output. In a preview in which the engine cannot read the stack yet they are unknown, and no fault.
 *
 * @example
 * const platform = await Platform.fromStack("organization/gatehouse/prod");
 * const connection = { ...platform.host, privateKey: config.requireSecret("sshKey") };
 * const host = new Host("host", { connection, platform: platforms.debian });
 * new Account("wiki", { host, home: "/var/lib/wiki", groups: [platform.groups.postgres] });
 */
export class Platform {
  /** The name that it was read by. */
  readonly stack: string;
  /** How to reach the host: the beginning of a `Connection`, which a private key completes. */
  readonly host: { readonly [Key in keyof PlatformFacts["host"]]: pulumi.Output<PlatformFacts["host"][Key]> };
  /** Groups whose members may open a socket, by service: for an `Account`, and with `usableGid` for a container. */
  readonly groups: { readonly [Service in keyof PlatformFacts["groups"]]: GroupHandle };
  /** Where PostgreSQL is found, and where another stack puts lines of pg_hba.conf. */
  readonly postgres: pulumi.Output<PlatformFacts["postgres"]>;
  /** Where Valkey is found, and the database number of each application. */
  readonly valkey: pulumi.Output<PlatformFacts["valkey"]>;
  /** Where a site of another stack goes, and how its certificate is made. */
  readonly caddy: pulumi.Output<PlatformFacts["caddy"]>;
  /** Where to log in, and the base of every OIDC issuer: `${issuer}${slug}/`. */
  readonly authentik: pulumi.Output<PlatformFacts["authentik"]>;

  private constructor(stack: string, facts: pulumi.Output<PlatformFacts>) {
    const { address, port, hostKey, platform } = facts.host;
    const group = ({ name, gid }: pulumi.Output<PlatformFacts["groups"]["postgres"]>) => ({ groupName: name, gid });
    this.stack = stack;
    this.host = { address, port, hostKey, platform };
    this.groups = { postgres: group(facts.groups.postgres), valkey: group(facts.groups.valkey) };
    this.postgres = facts.postgres;
    this.valkey = facts.valkey;
    this.caddy = facts.caddy;
    this.authentik = facts.authentik;
  }

  /**
   * Reads the platform by a StackReference of the stack's name, and makes sure that it is what this program can use
   * before anything is declared with it.
   *
   * @param stack `ORGANIZATION/PROJECT/STACK`; on a backend of one's own the organization is the word `organization`.
   * @param opts Of the StackReference, such as its parent.
   * @throws pulumi.RunError with the stack, each path that does not fit, both versions of the contract, and what to do.
   */
  static async fromStack(stack: string, opts?: pulumi.CustomResourceOptions): Promise<Platform> {
    await readable(stack);
    const reference = new pulumi.StackReference(stack, {}, opts);
    const platform = reference.getOutput("platform");
    const outputs = await known(reference.outputs);
    if (outputs) {
      const secrets = await known(reference.secretOutputNames);
      const fault = secrets?.value?.includes("platform") ? secret(stack) : misfit(stack, outputs.value);
      if (fault) throw new pulumi.RunError(fault);
    }
    return new Platform(
      stack,
      platform.apply((facts) => platformSchema.parse(facts)),
    );
  }
}

/** Asked first: a StackReference of a stack that is not there ends the program before it can say what to do. */
async function readable(stack: string): Promise<void> {
  try {
    await pulumi.runtime.invoke("pulumi:pulumi:readStackOutputs", { name: stack });
  } catch (error) {
    const reason = (error as Error).message.replace(/^invocation of \S+ returned an error: /, "");
    throw new pulumi.RunError(unreadable(stack, reason));
  }
}
