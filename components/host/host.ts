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
import { connectionSettings, hop } from "../connection/schema.ts";
import type { Distribution } from "../distribution/distribution.ts";
import { PLAIN } from "../schema/partly.ts";
import { onError } from "../sdk/error-hook.ts";
import { onceDeclared } from "../sdk/stack-outputs.ts";
import { Admission } from "./admission.ts";
import { Component } from "./component.ts";
import { explainer } from "./failure.ts";
import { thisStack } from "./moves.ts";
import { refuseRunOptions } from "./run-options.ts";
import { settingsOf } from "./settings.ts";

/** How to reach a host, and what it is expected to be. */
export interface HostArgs extends Expectations {
  /** Address, host key and login. */
  connection: Connection;
  /** The host no longer exists: deleting a resource forgets it without a connection. @default false */
  abandoned?: boolean;
  /**
   * The host is away for a while: its resources stay as the state has them, and nothing connects to it. @default false
   */
  away?: boolean;
  /** Facts from an inspection of the host. @default - it was not inspected, so a repair is never due */
  facts?: Facts;
  /**
   * Objects on the host that are taken over although gatehouse did not create them, each as kind and name, such as
   * `account authentik` or `file /etc/caddy/Caddyfile`. `stack shop/prod` moves the releases of that stack to this one.
   * @default none - they are refused, before anything is changed
   */
  takeOver?: readonly string[];
}

/**
 * A Linux host with gatehouse's agent. All other resources are managed on a host through the agent.
 *
 * @example
 * const config = new pulumi.Config();
 * const connection = {
 *   address: "192.0.2.10",
 *   hostKey: config.require("hostKey"),
 *   privateKey: config.requireSecret("sshKey"),
 * };
 * const host = new Host("host", { connection, platform: platforms.debian });
 * new Group("editors", { host });
 */
export class Host extends Component {
  /** Its name in the program. */
  readonly name: string;
  /** With the defaults. */
  readonly connection: CompleteConnection;
  /** The same for @pulumi/command: one Output for all commands, because it combines several. */
  readonly remote: pulumi.Output<pulumi.Unwrap<ReturnType<typeof remoteConnection>>>;
  /** Names and places of its distribution. */
  readonly platform: Distribution;
  /** Undefined if it was not inspected. */
  readonly facts: Facts | undefined;
  /** Whether it no longer exists. */
  readonly abandoned: boolean;
  /** Whether it is away for a while. */
  readonly away: boolean;
  /** Objects that are taken over. */
  readonly takeOver: readonly string[];
  /** Checks for each item that other objects on the host do not use its names. */
  readonly admission: Admission;
  /** For the commands on this host: explains why an item was not applied. */
  readonly hooks: pulumi.ResourceHookBinding;
  /** For `dependsOn`: resolved once the agent is installed. */
  readonly agent: pulumi.Resource;

  constructor(
    name: string,
    { connection, platform, gids, facts, abandoned = false, away = false, takeOver = [] }: HostArgs,
    opts?: pulumi.ComponentResourceOptions,
  ) {
    refuseRunOptions();
    const { args } = settingsOf("Host", name, hostArguments, { connection, takeOver });
    super("Host", name, opts);
    this.name = name;
    this.connection = complete(args.connection);
    this.remote = pulumi.output(remoteConnection(this.connection));
    this.platform = platform;
    this.facts = facts;
    this.abandoned = abandoned;
    this.away = away;
    this.takeOver = [...takeOver, ...this.formerStacks];
    this.admission = new Admission({ facts, takeOver: this.takeOver }, (message) =>
      pulumi.log.warn(message, this.agent),
    );
    onceDeclared(() => {
      const notice = this.admission.renames();
      if (notice) pulumi.log.warn(notice, this.agent);
    });
    this.hooks = onError(`gatehouse-failure-${name}`, explainer());
    const { sudo, wait } = this.connection;
    const install = `sh -s -- ${facts?.machine ?? NEVER_ASKED}`;
    this.agent = new remote.Command(
      `${name}-agent`,
      {
        connection: pulumi.output(wait).apply((wait) => remoteConnection(this.connection, wait)),
        create: pulumi.output(this.admission.claim().then(() => sudo)).apply((sudo) => asRoot({ sudo }, install)),
        stdin: pulumi.all([gids ?? {}, wait]).apply(([gids, wait]) => installation({ platform, gids }, wait)),
        // Deletes nothing: the agent reports what stays on the host, and an operator uses it afterwards.
        delete: `gatehouse leave ${thisStack()}`,
        addPreviousOutputInEnv: false,
        logging: remote.Logging.Stderr,
      },
      {
        parent: this,
        dependsOn: this.waitsFor,
        // The diff of the agent source says nothing about the platform.
        hideDiffs: ["stdin"],
        ignoreChanges: away ? ["*"] : facts ? [] : ["create"],
        deleteBeforeReplace: true,
        retainOnDelete: abandoned || undefined,
      },
    );
    this.registerOutputs();
  }
}

/** Not strict: a platform of another stack has more than a connection needs. */
const hostArguments = z.object({
  connection: z.object({ ...connectionSettings, proxy: z.object(hop).optional().meta(PLAIN) }).meta(PLAIN),
  takeOver: z.array(thing.meta(PLAIN)).meta(PLAIN),
});
