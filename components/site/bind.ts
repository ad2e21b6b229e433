// The addresses to which a site binds, tried before Caddy does.
import type { Check } from "../../protocol/manifest.ts";
import type { Distribution } from "../distribution/distribution.ts";
import type { Directive } from "./caddyfile.ts";

/** Binds to a free port of each address. */
const PROGRAM = `import socket, sys
for host in sys.argv[1:]:
    try:
        for family, kind, _, _, address in socket.getaddrinfo(host, 0, type=socket.SOCK_STREAM):
            socket.socket(family, kind).bind(address)
    except OSError as error:
        sys.exit(f"bind {host}: {error.strerror}: the host has no such address; \`ip address\` lists those that it has")
`;

/**
 * A check that the host has the addresses of a site's `bind`, if it names any. `caddy validate` does not try them.
 * Caddy accepts connections with the new files before it has bound every address. If one fails, it keeps the old files,
 * but Caddy 2.6 leaves the new listeners open until it is restarted, without certificates: some connections fail.
 */
export function bindChecks({ config, user }: Distribution["caddy"], directives: readonly Directive[]): Check[] {
  const hosts = directives.filter(({ name }) => name === "bind").flatMap(({ words }) => words.flatMap(hostOf));
  if (hosts.length === 0) return [];
  return [{ name: "the host has the addresses", tree: config, user, exec: ["python3", "-I", "-c", PROGRAM, ...hosts] }];
}

/** The host part of an address of `bind`; none for a socket, or for a variable, whose value only Caddy knows. */
function hostOf(address: string): string[] {
  if (/[{}]|^(unix|fd)/.test(address)) return [];
  return [address.replace(/^(tcp|udp)[46]?\//, "").replace(/^\[(.*)\]$/, "$1")];
}
