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
import { known, settingsOf } from "../host/settings.ts";
import { type Fault, faultsIn } from "../schema/faults.ts";
import { proxies } from "../schema/scalars.ts";
import { legible } from "../sdk/legible.ts";
import { ADMINISTRATOR, FIRST, firstStart, givesPassword } from "./administrator.ts";
import { GUARD, guardManifest } from "./guard.ts";
import type { AuthentikInput } from "./input.ts";
import {
  type AuthentikSite,
  asAuthentik,
  authentikManifest,
  authentikSite,
  FIRST_START,
  NAME,
  pathOf,
} from "./manifest.ts";
import { type AuthentikSettings, authentikSchema } from "./schema.ts";
import { secretEnvironmentFaults } from "./secret-environment.ts";
import { authentikSecrets, type Secret } from "./secrets.ts";
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
  readonly rotation: string;
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
  trustedProxies?: readonly string[];
  /** Resources that must be ready before the image is pulled. @default nothing */
  after?: readonly pulumi.Resource[];
  /** Must have a database `authentik` with an owner of the same name. */
  postgres: SocketService & { readonly port: number };
  /** Needs a database number for authentik in versions up to 2025.8. @default - the pod is not in Valkey's group */
  valkey?: SocketService & { login(application: string): ValkeyLogin };
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
  readonly site: AuthentikSite;
  /** Public address, such as `https://auth.example.org`. */
  readonly url: string;
  /** First login to a new authentik; null if the operator sets a password. */
  readonly administrator: pulumi.Output<{ name: string; password: string } | null>;
  /** The account that its processes run as. */
  readonly account: Account;
  /** For `dependsOn`: resolved once authentik is ready. */
  readonly ready: pulumi.Resource[];

  constructor(name: string, args: AuthentikArgs, opts?: pulumi.ComponentResourceOptions) {
    const { host, after = [], postgres, valkey, secretEnvironment = {}, trustedProxies = [], ...asked } = args;
    const faults = known(args, argumentFaults);
    const { directives, ...settings } = settingsOf("Authentik", name, authentikSchema, asked, faults);
    super("Authentik", name, opts);
    const { [SECRET_KEY]: givenKey, ...given } = secretEnvironment;
    const [first, secretSettings] = [true, false].map((is) => only(given, (name) => FIRST.test(name) === is)) as Pair;
    const below = { parent: this };
    const login = usesValkey(settings.version) ? valkey?.login(NAME) : undefined;
    const services = valkey ? [postgres, valkey] : [postgres];

    this.url = `https://${settings.domain}${pathOf(settings).replace(/\/$/, "")}`;
    this.site = authentikSite({ directives, ...settings });
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
    const secrets = this.secrets(name, host, this.key(name, settings.rotation, givenKey), login, start, secretSettings);
    const gid = (service: SocketService) =>
      legible(usableGid(service.clients, NAME), `gid of ${service.clients.groupName}`);
    const numbers = pulumi.output({
      uid: legible(this.account.uid, `uid of ${NAME}`),
      gid: legible(this.account.gid, `gid of ${NAME}`),
      postgresGid: gid(postgres),
      valkeyGid: valkey ? gid(valkey) : 0,
      generation: legible(secrets.generation, "generation of authentik-secrets"),
      valkeySecrets: login ? login.secrets : "",
    });
    const render = ({ uid, gid, postgresGid, valkeyGid, generation, valkeySecrets }: pulumi.Unwrap<typeof numbers>) =>
      authentikManifest(host.platform.postgres, {
        ...settings,
        uid,
        gid,
        postgres: { ...socketOf(postgres), port: postgres.port, gid: postgresGid },
        valkey: valkey && { ...socketOf(valkey), gid: valkeyGid },
        trustedProxies,
        secretVariables: Object.keys(secretSettings),
        secrets: secretsFolder(`${NAME}-secrets`, generation),
        refers: login ? [valkeySecrets] : [],
      });
    const sketch = render({ uid: 0, gid: 0, postgresGid: 0, valkeyGid: 0, generation: 0, valkeySecrets: "" });
    const guard = new Release(
      `${name}-${GUARD}`,
      { host, releaseName: GUARD, manifest: guardManifest() },
      { ...below, dependsOn: [packages], aliases: [{ name: GUARD }] },
    );
    const dependsOn = [packages, guard, ...after, ...services.flatMap(({ ready }) => ready)];
    this.ready = [
      new Release(name, { host, releaseName: NAME, manifest: numbers.apply(render), sketch }, { ...below, dependsOn }),
    ];
    this.registerOutputs({ url: this.url });
  }

  /**
   * Returns another site for Caddy. If it also leads to authentik, it blocks the same paths as authentik's own site.
   */
  front<Wishes extends { backend: string }>(site: Wishes) {
    return asAuthentik(site, this.site);
  }

  /** The key that signs sessions: an existing one, or one that is generated again at each rotation. */
  private key(name: string, rotation: number, given: pulumi.Input<string> | undefined): pulumi.Input<Secret> {
    if (given) return pulumi.output(given).apply((content) => ({ content }));
    const keepers = { rotation: String(rotation) };
    const args = { length: 64, special: false, keepers };
    const key = new random.RandomPassword(`${name}-secret-key`, args, { parent: this }).result;
    return key.apply((content) => ({ content, rotation: String(rotation) }));
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
    login: ValkeyLogin | undefined,
    start: pulumi.Input<Secret>,
    settings: Table,
  ): Release {
    const releaseName = `${NAME}-secrets`;
    const manifest = pulumi.output({ key, url: login?.url, start, settings }).apply((plain) =>
      authentikSecrets(releaseName, {
        secret_key: plain.key,
        [FIRST_START]: plain.start,
        ...(login && { valkey_url: { content: plain.url as string, rotation: login.rotation } }),
        ...Object.fromEntries(Object.entries(plain.settings).map(([name, content]) => [name, { content }])),
      }),
    );
    const args = { host, releaseName, manifest, secret: true };
    return new Release(`${name}-secrets`, args, { parent: this, dependsOn: [this.account] });
  }
}

/** Faults that the schema of the settings does not cover. */
function* argumentFaults(args: AuthentikArgs): Generator<Fault> {
  const { secretEnvironment = {}, trustedProxies = [], version, valkey } = args;
  yield* secretEnvironmentFaults(secretEnvironment, args as Partial<AuthentikSettings>);
  yield* faultsIn(z.object({ trustedProxies: z.array(proxies) }), { trustedProxies });
  if (VERSION.test(version) && usesValkey(version) && !valkey)
    yield { path: ["valkey"], message: `authentik ${version} needs Valkey; versions from 2025.10 on do not` };
}

type Table = Record<string, pulumi.Input<string>>;
type Pair = [Table, Table];
const only = (table: Table, wanted: (name: string) => boolean): Table =>
  Object.fromEntries(Object.entries(table).filter(([name]) => wanted(name)));

const socketOf = ({ unit, socketDirectory }: SocketService) => ({ unit, socketDirectory });
