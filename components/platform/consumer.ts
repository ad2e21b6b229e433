import * as pulumi from "@pulumi/pulumi";
import type { GroupHandle } from "../host/group.ts";
import { known } from "../sdk/known.ts";
import { type PlatformFacts, platformSchema } from "./contract.ts";
import { misfit, secret, unreadable } from "./errors.ts";

/**
 * The platform that another stack has deployed, for a program that deploys to the same host.
 *
 * Every value is an Output. In a preview in which the engine cannot read the stack yet, the values are unknown; this is
 * not an error.
 *
 * @example
 * const platform = await Platform.fromStack("organization/gatehouse/prod");
 * const connection = { ...platform.host, privateKey: new pulumi.Config().requireSecret("sshKey") };
 * const host = new Host("host", { connection, platform: platforms.debian });
 * new Account("wiki", { host, home: "/var/lib/wiki", groups: [platform.groups.postgres] });
 */
export class Platform {
  /** The name that was passed to `fromStack`. */
  readonly stack: string;
  /** How to reach the host: a `Connection` that lacks only the private key. */
  readonly host: { readonly [Key in keyof PlatformFacts["host"]]: pulumi.Output<PlatformFacts["host"][Key]> };
  /** Groups whose members may open a socket, by service: for an `Account`, or with `usableGid` for a container. */
  readonly groups: { readonly [Service in keyof PlatformFacts["groups"]]: GroupHandle };
  /** Socket and unit of PostgreSQL, and the directory for pg_hba.conf lines from other stacks. */
  readonly postgres: pulumi.Output<PlatformFacts["postgres"]>;
  /** Socket and unit of Valkey, and the database number of each application. */
  readonly valkey: pulumi.Output<PlatformFacts["valkey"]>;
  /** Directory for sites of other stacks, and the issuer of their certificates. */
  readonly caddy: pulumi.Output<PlatformFacts["caddy"]>;
  /** Login URL, and the base of every OIDC issuer: `${issuer}${slug}/`. */
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
   * Reads the platform through a StackReference, and checks that this program can use it before any resource is
   * declared.
   *
   * @param stack `ORGANIZATION/PROJECT/STACK`; on a self-managed backend the organization is the word `organization`.
   * @param opts options of the StackReference, such as its parent.
   * @throws pulumi.RunError with the stack, each invalid path, both versions of the contract, and the remedy.
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

/** Checked first: a StackReference to a missing stack ends the program before it can print the remedy. */
async function readable(stack: string): Promise<void> {
  try {
    await pulumi.runtime.invoke("pulumi:pulumi:readStackOutputs", { name: stack });
  } catch (error) {
    const reason = (error as Error).message.replace(/^invocation of \S+ returned an error: /, "");
    throw new pulumi.RunError(unreadable(stack, reason));
  }
}
