import * as pulumi from "@pulumi/pulumi";
import * as random from "@pulumi/random";
import { z } from "zod";
import { secretsFolder } from "../../protocol/secrets.ts";
import { Account } from "../host/account.ts";
import { Component } from "../host/component.ts";
import { type Group, usableGid } from "../host/group.ts";
import type { Host } from "../host/host.ts";
import { Packages } from "../host/packages.ts";
import { Release } from "../host/release.ts";
import { settingsOf } from "../host/settings.ts";
import { type Fault, faultsIn } from "../schema/faults.ts";
import { asNetwork, proxies } from "../schema/scalars.ts";
import { legible } from "../sdk/legible.ts";
import { ADMINISTRATOR, FIRST, firstStart, givesPassword } from "./administrator.ts";
import { GUARD, guardManifest } from "./guard.ts";
import type { AuthentikInput } from "./input.ts";
import { authentikManifest, FIRST_START, NAME } from "./manifest.ts";
import { type AuthentikSettings, authentikSchema } from "./schema.ts";
import { secretEnvironmentFaults } from "./secret-environment.ts";
import { authentikSecrets, type Secret } from "./secrets.ts";
import { type AuthentikSite, asAuthentik, backendOf, closedPaths, pathOf } from "./site.ts";
import { SECRET_KEY } from "./variables.ts";
import { usesValkey, VERSION } from "./version.ts";

/** A native service with a socket for the members of a group. */
interface SocketService {
  readonly clients: Group;
  readonly unit: string;
  readonly socketDirectory: string;
  readonly ready: pulumi.Resource[];
}

/** An application's login to Valkey, from the handle of Valkey. */
interface ValkeyLogin {
  readonly url: pulumi.Output<string>;
  readonly secrets: pulumi.Output<string>;
  readonly rotation: pulumi.Output<string>;
}

/** authentik's settings, and the services that it uses. */
export interface AuthentikArgs extends Omit<AuthentikInput, "valkey"> {
  /** The host that it runs on, which has no other one. */
  host: Host;
  /**
   * Secret settings such as AUTHENTIK_EMAIL__PASSWORD, which authentik reads from files. AUTHENTIK_SECRET_KEY replaces
   * the generated key, so that an existing authentik keeps its sessions. With AUTHENTIK_BOOTSTRAP_PASSWORD or
   * AUTHENTIK_BOOTSTRAP_PASSWORD_HASH no first password is generated. @default none
   */
  secretEnvironment?: Record<string, pulumi.Input<string>>;
  /** CIDRs of proxies in front of Caddy that are trusted to identify clients. @default none */
  trustedProxies?: pulumi.Input<readonly pulumi.Input<string>[]>;
  /** Resources that must be ready before the image is pulled. @default nothing */
  after?: readonly pulumi.Resource[];
  /**
   * authentik on another host, with the same database. It is upgraded first, and migrates the database. @default none
   */
  follows?: Authentik;
  /** Must have a database `authentik` with an owner of the same name. */
  postgres: SocketService & { readonly port: number };
  /** Needs a database number for authentik in versions up to 2025.8. @default - the pod is not in Valkey's group */
  valkey?: SocketService & {
    readonly databases: Readonly<Record<string, unknown>>;
    login(application: string): ValkeyLogin;
  };
}

/**
 * authentik as a rootful Podman pod with a server and a worker. Its processes run as the system account `authentik`
 * with the GIDs of the client groups, so they open the services' sockets like any other group member.
 *
 * @example
 * const postgres = new Postgres("postgres", { host, databases: { authentik: {} } });
 * const authentik = new Authentik("authentik", { host, postgres, domain: "auth.example.org", version: "2026.8.3" });
 * new Caddy("caddy", { host, sites: { authentik: { ...authentik.site, after: authentik.ready } } });
 */
export class Authentik extends Component {
  /** Site for Caddy: the public name, and the address on the host. */
  readonly site: Inputs<AuthentikSite>;
  /** Public address, such as `https://auth.example.org`. */
  readonly url: pulumi.Output<string>;
  /** First login to a new authentik; null if the operator sets a password. */
  readonly administrator: pulumi.Output<{ name: string; password: string } | null>;
  /** The account that its processes run as. */
  readonly account: Account;
  /** For `dependsOn`: resolved once authentik is ready. */
  readonly ready: pulumi.Resource[];

  constructor(name: string, args: AuthentikArgs, opts?: pulumi.ComponentResourceOptions) {
    const { host, after = [], follows, postgres, valkey, secretEnvironment = {}, trustedProxies = [], ...asked } = args;
    const hasDatabase = valkey && NAME in valkey.databases;
    const further = { ...asked, secretEnvironment, trustedProxies, valkey: hasDatabase };
    const settings = settingsOf("Authentik", name, authentikSchema, asked, { given: further, faults: argumentFaults });
    super("Authentik", name, opts);
    const { [SECRET_KEY]: givenKey, ...given } = secretEnvironment;
    const [first, secretSettings] = [true, false].map((is) => only(given, (name) => FIRST.test(name) === is)) as Pair;
    const below = { parent: this };
    // Which versions use it is decided where the version is known.
    const login = hasDatabase ? valkey.login(NAME) : undefined;
    const services = valkey ? [postgres, valkey] : [postgres];

    const path = settings.of(["environment"], pathOf);
    this.url = pulumi
      .all([settings.args.domain, path])
      .apply(([domain, path]) => `https://${domain}${path.replace(/\/$/, "")}`);
    this.site = {
      domain: settings.args.domain,
      backend: settings.of(["port"], backendOf),
      directives: settings.of(["directives"], ({ directives }) => directives),
      identifies: true,
      closed: settings.of(["environment"], closedPaths),
    };
    const packages = new Packages(
      `${name}-podman`,
      { host, setName: "podman", names: host.platform.podman.packages },
      { ...below, aliases: [{ name: "podman" }] },
    );
    this.account = new Account(
      name,
      { host, accountName: NAME, home: `/var/lib/${NAME}`, groups: services.map(({ clients }) => clients) },
      below,
    );
    const password = givesPassword(Object.keys(first)) ? undefined : this.firstPassword(name);
    this.administrator = pulumi.output(password ? { name: ADMINISTRATOR, password } : null);
    const start = pulumi.output({ first, password }).apply((plain) => firstStart(plain.first, plain.password));
    const version = settings.of(["version"], ({ version }) => version);
    const rotation = pulumi.output(settings.of(["rotation"], ({ rotation }) => rotation));
    const url = pulumi
      .output({ version, url: login?.url, rotation: login?.rotation })
      .apply(({ version, url, rotation }) =>
        url !== undefined && usesValkey(version) ? { content: url, rotation } : undefined,
      );
    const secrets = this.secrets(name, host, this.key(name, rotation, givenKey), url, start, secretSettings);
    const gid = (service: SocketService) =>
      legible(usableGid(service.clients, NAME), `gid of ${service.clients.groupName}`);
    const numbers = pulumi.output({
      uid: legible(this.account.uid, `uid of ${NAME}`),
      gid: legible(this.account.gid, `gid of ${NAME}`),
      postgresGid: gid(postgres),
      valkeyGid: valkey ? gid(valkey) : 0,
      generation: legible(secrets.generation, "generation of authentik-secrets"),
      valkeySecrets: login ? login.secrets : "",
      trusted: pulumi.output(trustedProxies).apply((list) => list.map(asNetwork)),
    });
    const manifest = settings.manifest<pulumi.Unwrap<typeof numbers>>(
      (settings, { uid, gid, postgresGid, valkeyGid, generation, valkeySecrets, trusted }) =>
        authentikManifest(host.platform.postgres, {
          ...settings,
          uid,
          gid,
          postgres: { ...socketOf(postgres), port: postgres.port, gid: postgresGid },
          valkey: valkey && { ...socketOf(valkey), gid: valkeyGid },
          migrates: follows === undefined,
          trustedProxies: trusted,
          secretVariables: Object.keys(secretSettings),
          secrets: secretsFolder(`${NAME}-secrets`, generation),
          refers: login && usesValkey(settings.version) ? [valkeySecrets] : [],
        }),
      numbers,
      { uid: 0, gid: 0, postgresGid: 0, valkeyGid: 0, generation: 0, valkeySecrets: "", trusted: [] },
    );
    const guard = new Release(
      `${name}-${GUARD}`,
      { host, releaseName: GUARD, manifest: guardManifest() },
      { ...below, dependsOn: [packages], aliases: [{ name: GUARD }] },
    );
    const dependsOn = [packages, guard, ...after, ...(follows?.ready ?? []), ...services.flatMap(({ ready }) => ready)];
    this.ready = [new Release(name, { host, releaseName: NAME, ...manifest }, { ...below, dependsOn })];
    this.registerOutputs({ url: this.url });
  }

  /**
   * Returns another site for Caddy. If it also leads to authentik, it blocks the same paths as authentik's own site.
   */
  front<Wishes extends { backend: pulumi.Input<string> }>(site: Wishes) {
    const { backend, closed } = this.site;
    const own = pulumi
      .all([site.backend, backend, closed])
      .apply(([its, backend, closed]) => asAuthentik({ backend: its }, { backend, identifies: true, closed }));
    return {
      ...site,
      identifies: own.apply(({ identifies }) => identifies),
      closed: own.apply(({ closed }) => closed),
    };
  }

  /** The key that signs sessions: an existing one, or one that is generated again at each rotation. */
  private key(
    name: string,
    rotation: pulumi.Output<number>,
    given: pulumi.Input<string> | undefined,
  ): pulumi.Input<Secret> {
    if (given) return pulumi.output(given).apply((content) => ({ content }));
    const keepers = { rotation: rotation.apply(String) };
    const args = { length: 64, special: false, keepers };
    const key = new random.RandomPassword(`${name}-secret-key`, args, { parent: this }).result;
    return pulumi.all([key, rotation]).apply(([content, rotation]) => ({ content, rotation: String(rotation) }));
  }

  /** Not generated again at a rotation, because authentik reads it only once. */
  private firstPassword(name: string): pulumi.Output<string> {
    return new random.RandomPassword(`${name}-first-password`, { length: 48, special: false }, { parent: this }).result;
  }

  /** A release of its own, because its manifest is secret as a whole. The pod restarts when its generation changes. */
  private secrets(
    name: string,
    host: Host,
    key: pulumi.Input<Secret>,
    valkeyUrl: pulumi.Input<Secret | undefined>,
    start: pulumi.Input<Secret>,
    settings: Table,
  ): Release {
    const releaseName = `${NAME}-secrets`;
    const manifest = pulumi.output({ key, valkeyUrl, start, settings }).apply((plain) =>
      authentikSecrets(releaseName, {
        secret_key: plain.key,
        [FIRST_START]: plain.start,
        ...(plain.valkeyUrl && { valkey_url: plain.valkeyUrl }),
        ...Object.fromEntries(Object.entries(plain.settings).map(([name, content]) => [name, { content }])),
      }),
    );
    const args = { host, releaseName, manifest, secret: true };
    return new Release(`${name}-secrets`, args, { parent: this, dependsOn: [this.account] });
  }
}

/** Arguments with placeholders in place of Outputs. */
type Plain = Omit<Partial<AuthentikSettings>, "valkey"> & {
  /** Whether authentik has a database there. */
  valkey: boolean | undefined;
  secretEnvironment: Record<string, unknown>;
  trustedProxies: unknown;
};

/** Faults that the schema of the settings does not cover. */
function* argumentFaults(args: object): Generator<Fault> {
  const { secretEnvironment, trustedProxies, version = "", valkey, ...settings } = args as Plain;
  yield* secretEnvironmentFaults(secretEnvironment, { ...settings, version });
  yield* faultsIn(z.object({ trustedProxies: z.array(proxies) }), { trustedProxies });
  if (!VERSION.test(version) || !usesValkey(version)) return;
  if (valkey === undefined)
    yield { path: ["valkey"], message: `authentik ${version} needs Valkey; versions from 2025.10 on do not` };
  if (valkey === false)
    yield {
      path: ["valkey"],
      message: `authentik ${version} needs a database in Valkey: give ${NAME} a number in valkey.databases`,
    };
}

type Inputs<T> = { [Key in keyof T]: pulumi.Input<T[Key]> };
type Table = Record<string, pulumi.Input<string>>;
type Pair = [Table, Table];
const only = (table: Table, wanted: (name: string) => boolean): Table =>
  Object.fromEntries(Object.entries(table).filter(([name]) => wanted(name)));

const socketOf = ({ unit, socketDirectory }: SocketService) => ({ unit, socketDirectory });
