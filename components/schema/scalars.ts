// Schemas for single settings, each with its message for an invalid value.
import { isIP } from "node:net";
import { z } from "zod";

/** Message for an invalid value: the expected and the given value. */
const expected = (what: string) => ({
  error: ({ input }: { input?: unknown }) => `expected ${what}, got ${shown(input)}`,
});
const shown = (input: unknown) => (input === undefined ? "nothing" : JSON.stringify(input));

/** A text of this form. */
export const text = (what: string, pattern: RegExp) => z.string(expected(what)).regex(pattern, expected(what));

const DOMAIN = /^(?=.{1,253}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]([a-z0-9-]{0,61}[a-z0-9])?$/;

export const domain = text("a domain name in lower case, such as auth.example.org", DOMAIN);

export const address = z
  .string(expected("an IP address or a host name"))
  .refine(
    (value) => isIP(value) > 0 || /^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$/i.test(value),
    expected("an IP address or a host name"),
  );

export const port = z
  .int(expected("a port from 1 to 65535"))
  .min(1, expected("a port from 1 to 65535"))
  .max(65535, expected("a port from 1 to 65535"));

const networkOf = (value: string): { version: number; length: number } => {
  const [, ip = "", length = ""] = /^(.+)\/(\d{1,3})$/.exec(value) ?? [];
  const version = isIP(ip);
  const fits = version > 0 && Number(length) <= (version === 4 ? 32 : 128);
  return { version: fits ? version : 0, length: Number(length) };
};

/** The form that Podman prints: no host bits, and IPv6 addresses in their shortest form. */
function canonical(value: string): string {
  const { version, length } = networkOf(value);
  const [ip = ""] = value.split("/");
  const [bits, parts] = version === 4 ? [8, ip.split(".").map(Number)] : [16, groupsOf(ip)];
  const masked = parts.map((part, index) => part & (0xffff << Math.max(0, bits - Math.max(0, length - index * bits))));
  const written = masked.map((part) => (version === 4 ? part & 0xff : (part & 0xffff).toString(16)));
  return `${version === 4 ? written.join(".") : shortest(written.join(":"))}/${length}`;
}
const shortest = (ip: string): string => new URL(`http://[${ip}]`).hostname.slice(1, -1);
function groupsOf(ip: string): number[] {
  const [front = [], back] = shortest(ip)
    .split("::")
    .map((half) => half.split(":").filter(Boolean));
  const zeros = Array(back ? 8 - front.length - back.length : 0).fill("0");
  return [...front, ...zeros, ...(back ?? [])].map((group) => Number.parseInt(group, 16));
}

/** A network such as 10.0.0.0/8 or fd00:88::/64. */
export const cidr = z
  .string(expected("a network such as 10.0.0.0/8 or fd00:88::/64"))
  .refine((value) => networkOf(value).version > 0, expected("a network such as 10.0.0.0/8 or fd00:88::/64"))
  .refine((value) => networkOf(value).version === 0 || canonical(value) === value, {
    error: ({ input }) => `expected the network itself, ${canonical(String(input))}, got ${shown(input)}`,
  });

/** IP version of a network: 4 or 6; 0 if the text is not a network. */
export const versionOf = (network: string): number => networkOf(network).version;

/** Proxies: an address or a network, but not the whole Internet. */
export const proxies = z
  .string(expected("an address or a network, such as 198.51.100.7 or 173.245.48.0/20"))
  .refine(
    (value) => isIP(value) > 0 || networkOf(value).version > 0,
    expected("an address or a network, such as 198.51.100.7 or 173.245.48.0/20"),
  )
  .refine((value) => isIP(value) > 0 || networkOf(value).version === 0 || networkOf(value).length > 0, {
    error: ({ input }) =>
      `${input} contains every address, so any client could claim another address; list the networks of the proxies`,
  });

/** The value as a network; a single address becomes a network with that address only. */
export const asNetwork = (value: string): string =>
  value.includes("/") ? value : `${value}/${isIP(value) === 4 ? 32 : 128}`;

/** A name that is valid for useradd, groupadd and Pulumi resources. */
export const unixName = text(
  "a name of lower-case letters, digits, - and _, at most 31 long",
  /^[a-z][a-z0-9_-]{0,30}$/,
);

/**
 * A user to log in as, who exists on another machine: also one of a directory service, such as `First.Last` or
 * `first.last@corp.example.org`. A shell reads the name as one word.
 */
export const loginName = text(
  "a user name of letters, digits, ., _, @ and -, which does not begin with - or .",
  /^[A-Za-z0-9_][A-Za-z0-9._@-]{0,254}$/,
);

/** The name of an object that has its own release on the host. */
export const releaseName = text(
  "a name of lower-case letters, digits and -, at most 31 long",
  /^[a-z][a-z0-9-]{0,30}$/,
);

// Without ssh-rsa: the plugin would request it with SHA-1, which current versions of sshd refuse.
export const hostKey = text(
  "a host key such as `ssh-ed25519 AAAA...`, as `cut -d' ' -f1-2 /etc/ssh/ssh_host_ed25519_key.pub` prints it on the host's console",
  /^(ssh-ed25519|ecdsa-sha2-nistp(256|384|521)) [A-Za-z0-9+/]+={0,2}$/,
);

const CONNECTIONS = "a number of connections from 1 to 262143";
export const connections = z
  .int(expected(CONNECTIONS))
  .min(1, expected(CONNECTIONS))
  .max(262143, expected(CONNECTIONS));

/** Excludes 0, which is root's, and the last ones, which mean "nobody" and "no change" to the kernel. */
export const gid = z
  .int(expected("a GID from 1 to 65533"))
  .min(1, expected("a GID from 1 to 65533"))
  .max(65533, expected("a GID from 1 to 65533"));

/** The GID of the group of a socket, in the configuration of its service. */
export const clientsGid = (group: string, example: number) =>
  gid.optional().meta({
    description: `GID of the group ${group}. Without it, the host chooses one, and an existing group keeps its GID.`,
    examples: [example],
  });

/** Excludes 0, which is root's. */
export const uid = z.int(expected("a UID of at least 1")).min(1, expected("a UID of at least 1"));

export const seconds = z.int(expected("a whole number of seconds")).min(0, expected("a whole number of seconds"));

/** Deadline for the start of a service. A shorter one leaves no time to check that the service keeps running. */
export const deadline = z
  .int(expected("a whole number of seconds"))
  .min(10, expected("at least 10 seconds"))
  .meta({ unit: "seconds" });

/** Incremented to regenerate secrets; while it is unchanged, the host keeps the existing ones. */
export const rotation = z
  .int(expected("a whole number of at least 1"))
  .min(1, expected("a whole number of at least 1"))
  .default(1);

export const digest = text("an image digest such as sha256:0123... (64 hexadecimal digits)", /^sha256:[0-9a-f]{64}$/);

/** A value in another program's configuration file. */
const setting = z.union([z.string(), z.number(), z.boolean()], expected("text, a number or a boolean"));

/** A refinement that refuses a value which a file's grammar cannot represent, with the encoder's reason. */
export function writtenBy<T>(encode: (value: T) => string) {
  return (value: T, context: z.RefinementCtx<T>): void => {
    try {
      encode(value);
    } catch (error) {
      context.addIssue({ code: "custom", message: (error as Error).message });
    }
  };
}

/** A value in a configuration file that this encoder writes. */
export const settingOf = (encode: (value: unknown) => string) => setting.superRefine(writtenBy(encode));
