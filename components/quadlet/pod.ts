// The members of a pod share some settings, which belong to the pod: Podman rejects them on a member, or ignores them.
import { isIP, isIPv4, isIPv6 } from "node:net";
import { OPENING } from "./opening.ts";

/** A value of a Quadlet key. A key that may be repeated takes a list. */
export type Value = string | number | boolean;
export type Keys = Readonly<Record<string, Value | readonly Value[]>>;

/** A memory size in Podman's format. */
export const SIZE = /^[1-9]\d*[kmg]b?$/;

interface Shared {
  /** Option of `podman pod create`. Not every Podman version supports each [Container] key in a [Pod] section. */
  option: string;
  fits: (value: string) => boolean;
  such: string;
  /** Whether the key may be repeated. */
  many?: true;
  /** Which values belong to the pod. @default - all */
  only?: RegExp;
}

const SHARED: Readonly<Record<string, Shared>> = {
  AddHost: {
    option: "add-host",
    fits: matches(/^[^\s:]+:\S+$/),
    such: "a name and an address such as mail.lan:192.0.2.7",
    many: true,
  },
  DNS: {
    option: "dns",
    fits: (value) => isIP(value) > 0 || value === "none",
    such: "an IP address or none",
    many: true,
  },
  DNSOption: {
    option: "dns-option",
    fits: matches(/^\S+$/),
    such: "an option of resolv.conf such as ndots:2",
    many: true,
  },
  DNSSearch: { option: "dns-search", fits: matches(/^\S+$/), such: "a domain such as example.org", many: true },
  HostName: {
    option: "hostname",
    fits: matches(/^[a-z0-9]([a-z0-9.-]{0,62}[a-z0-9])?$/i),
    such: "a host name such as auth",
  },
  IP: { option: "ip", fits: isIPv4, such: "an IPv4 address of the pod's network" },
  IP6: { option: "ip6", fits: isIPv6, such: "an IPv6 address of the pod's network" },
  Sysctl: {
    option: "sysctl",
    // Only those that the kernel keeps apart for each container.
    fits: matches(/^(net|fs\.mqueue|kernel\.(shm\w*|msg\w*|sem))(\.[\w/-]+)*=[^=]+$/),
    such: "a parameter below net. or fs.mqueue., kernel.shm*, kernel.msg* or kernel.sem, such as net.core.somaxconn=1024",
    many: true,
    only: /^net\./,
  },
  ShmSize: { option: "shm-size", fits: matches(SIZE), such: "a size such as 512m or 1g" },
};

const belongsToPod = (key: string, value: Value): boolean =>
  SHARED[key] !== undefined && (SHARED[key].only?.test(String(value)) ?? true);

/** Linux's numbers of the signals that end a program. */
export const SIGNALS = { HUP: 1, INT: 2, QUIT: 3, KILL: 9, USR1: 10, USR2: 12, TERM: 15, WINCH: 28 };

/** The form of other keys, of which Podman would only report a wrong value when it starts the container, or not at all. */
const FORMS: Readonly<Record<string, Pick<Shared, "fits" | "such" | "many">>> = {
  StopSignal: {
    fits: (value) => value.replace(/^SIG/, "") in SIGNALS || /^([1-9]|[1-5]\d|6[0-4])$/.test(value),
    such: `one of ${Object.keys(SIGNALS).join(", ")}, with or without SIG, or a number`,
  },
  StopTimeout: { fits: matches(/^\d{1,5}$/), such: "a whole number of seconds" },
  ...Object.fromEntries(
    Object.entries(OPENING).map(([key, { fits, such }]) => [key, { fits: matches(fits), such, many: true as const }]),
  ),
};

/** Keys that only have an effect outside a pod, each with the reason for the refusal. */
const WITHOUT_EFFECT: Readonly<Record<string, string>> = {
  NetworkAlias: "has no effect on a pod that no other container reaches by name",
  ExposeHostPort: "has no effect on a member of a pod, whose ports the pod publishes",
};

/** A line for each value. */
export const repeated = (keys: Keys): [key: string, value: Value][] =>
  Object.entries(keys).flatMap(([key, value]) => valuesOf(value).map((one): [string, Value] => [key, one]));

/** Splits keys into those of the pod, as options for `podman pod create`, and those of its containers. */
export function sorted(keys: Keys): { pod: string[]; container: [key: string, value: Value][] } {
  const each = repeated(keys);
  return {
    pod: each.filter((one) => belongsToPod(...one)).map(([key, value]) => `--${SHARED[key]?.option}=${value}`),
    container: each.filter((one) => !belongsToPod(...one)),
  };
}

/** Faults in the keys for the containers of a pod. */
export const misplaced = (keys: Keys): { key: string; message: string }[] =>
  Object.entries(keys).flatMap(([key, given]) => {
    const values = valuesOf(given).map(String);
    if (WITHOUT_EFFECT[key]) return { key, message: `${key} ${WITHOUT_EFFECT[key]}; remove it` };
    const shared = SHARED[key];
    const form = shared ?? FORMS[key];
    if (form === undefined) return [];
    if (values.length > 1 && !form.many) return { key, message: `${key} takes one value, got ${values.length}` };
    return values
      .filter((value) => !form.fits(value))
      .map((value) => ({ key, message: `expected ${form.such}, got ${JSON.stringify(value)}` }));
  });

const valuesOf = (value: Keys[string]): readonly Value[] => [value].flat();

function matches(pattern: RegExp) {
  return (value: string) => pattern.test(value);
}
