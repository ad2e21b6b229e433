import { remote } from "@pulumi/command";
import * as pulumi from "@pulumi/pulumi";
import { z } from "zod";
import { NEVER_ASKED } from "../../protocol/due.ts";
import type { Facts } from "../../protocol/facts.ts";
import { thing } from "../../protocol/things.ts";
import { type Expectations, installation } from "../connection/agent.ts";
import {
  asRoot,
  type CompleteConnection,
  type Connection,
  complete,
  remoteConnection,
} from "../connection/connection.ts";
import type { Distribution } from "../distribution/distribution.ts";
import { Admission } from "./admission.ts";

export interface HostArgs extends Expectations {
  connection: Connection;
  /** The host is gone: deleting a resource forgets it and connects to nobody. @default false */
  abandoned?: boolean;
  /** What the host says of itself now. @default - it was not asked, so a repair is never due */
  facts?: Facts;
  /**
   * What of the host is taken over though gatehouse did not make it, each as kind and name, such as `account authentik`,
   * `file /etc/caddy/Caddyfile` or, for the releases of another stack that move to this one, `stack shop/prod`.
   * @default none - it is refused, before anything is changed
   */
  takeOver?: readonly string[];
}

/**
 * A Linux host, with gatehouse's agent on it. Everything else is made on a host through the agent.
 *
 * @example
 * const host = new Host("host", { connection, platform: debian });
 */
export class Host extends pulumi.ComponentResource {
  readonly name: string;
  readonly connection: CompleteConnection;
  /** The same as @pulumi/command takes it: one Output for all commands, since it is made of several. */
  readonly remote: pulumi.Output<pulumi.Unwrap<ReturnType<typeof remoteConnection>>>;
  readonly platform: Distribution;
  readonly facts: Facts | undefined;
  readonly abandoned: boolean;
  readonly takeOver: readonly string[];
  /** Whom each item asks whether the host has what it needs of another's. */
  readonly admission: Admission;
  /** To depend on: resolved once the agent is installed. */
  readonly agent: pulumi.Resource;

  constructor(
    name: string,
    { connection, platform, gids, facts, abandoned = false, takeOver = [] }: HostArgs,
    opts?: pulumi.ComponentResourceOptions,
  ) {
    const { error } = z.array(thing).safeParse(takeOver);
    if (error) throw new pulumi.RunError(error.issues.map(({ message }) => `takeOver: ${message}`).join("\n"));
    super("gatehouse:index:Host", name, {}, opts);
    this.name = name;
    this.connection = complete(connection);
    this.remote = pulumi.output(remoteConnection(this.connection));
    this.platform = platform;
    this.facts = facts;
    this.abandoned = abandoned;
    this.takeOver = takeOver;
    this.admission = new Admission({ facts, takeOver }, (message) => pulumi.log.warn(message, this.agent));
    const command = asRoot(this.connection, `sh -s -- ${facts?.machine ?? NEVER_ASKED}`);
    this.agent = new remote.Command(
      `${name}-agent`,
      {
        connection: this.remote,
        create: this.admission.claim().then(() => command),
        stdin: installation({ platform, gids }),
        addPreviousOutputInEnv: false,
        logging: remote.Logging.None,
      },
      // The diff of the agent's own source says nothing about the platform. There is no delete: the agent is what
      // the releases are removed with, and what an operator looks at afterwards.
      { parent: this, hideDiffs: ["stdin"], ignoreChanges: facts ? [] : ["create"] },
    );
    this.registerOutputs();
  }
}
