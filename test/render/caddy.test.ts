import { spawnSync } from "node:child_process";
import { describe, expect, test } from "vitest";
import { debian } from "../../components/distribution/debian.ts";
import { siteManifest } from "../../components/site/site.ts";
import { CASES, partsOf } from "./cases.ts";
import { file, partsOfCase, section } from "./rendered.ts";

const SITE = "/etc/caddy/sites/authentik.caddy";

describe.each(Object.keys(CASES))("the site of authentik in case %s", (name) => {
  const site = file(name, SITE);

  test("proxies to plain HTTP on loopback, with no TLS to the backend (M10)", () => {
    expect(site).toMatch(/^\t+reverse_proxy 127\.0\.0\.1:\d+ \{$/m);
    expect(site).not.toMatch(/tls_transport|transport|https:\/\//);
  });

  test("keeps authentik's setup closed, before the operator's directives", () => {
    const base = name === "authentik-without-valkey" ? "/auth/" : "/";
    const closed = [...site.matchAll(/^\t\trespond (\S+) ".*" 403$/gm)].map(([, path]) => path);
    expect(closed).toEqual([`${base}if/flow/initial-setup*`, `${base}api/v3/flows/executor/initial-setup*`]);
    expect(site.indexOf("respond")).toBeLessThan(site.indexOf("handle {"));
  });

  test("checks the health of no endpoint that might not exist (M10)", () => {
    expect(site).not.toMatch(/health_/);
  });

  test("has the public name, for which Caddy terminates TLS (M10)", () => {
    expect(site.split("\n")[0]).toBe("auth.example.org {");
  });
});

test("another public name of authentik also closes the setup, and receives the headers of its pages", () => {
  const sites = Object.fromEntries(
    ["127.0.0.1:9000", "localhost:9000", "127.0.0.1:9001"].map((backend, at) => [
      `brand${at}`,
      { domain: `brand${at}.example.org`, backend },
    ]),
  );
  const authentik = { domain: "auth.example.org", version: "2026.8.3" };
  const made = partsOf({ host: { address: "192.0.2.10", hostKey: "ssh-ed25519 AAAA" }, authentik, caddy: { sites } });
  const closes = (name: string) => /respond .*initial-setup\*.* 403/.test(made.sites[name]?.files?.[0]?.content ?? "");
  expect(["authentik", "brand0", "brand1", "brand2"].map(closes)).toEqual([true, true, true, false]);
  expect(made.sites.brand0?.files?.[0]?.content).not.toContain("X-Authentik");
  expect(made.sites.brand2?.files?.[0]?.content).toContain("X-Authentik");
});

test("authentik's site accepts directives like any other, and other sites close nothing", () => {
  expect(file("authentik-without-valkey", SITE)).toMatch(/^\t\t\theader X-Line one$/m);
  expect(file("full", "/etc/caddy/sites/grafana.caddy")).not.toMatch(/respond/);
});

describe("TLS", () => {
  test("is by Caddy's own authority if the stack says internal", () => {
    expect(file("full", SITE)).toMatch(/^\ttls internal$/m);
  });

  test("is by ACME otherwise, which is Caddy's default and needs no line", () => {
    expect(file("acme", SITE)).not.toMatch(/^\s*tls/m);
  });

  test("has an e-mail address for the authority if one is set, and no line otherwise", () => {
    expect(file("acme", "/etc/caddy/Caddyfile")).toMatch(/^\temail ops@example\.org$/m);
    expect(file("full", "/etc/caddy/Caddyfile")).not.toMatch(/email/);
  });

  test("uses the configured ACME directory, and the public authorities otherwise", () => {
    expect(file("acme", "/etc/caddy/Caddyfile")).toMatch(
      /^\tacme_ca https:\/\/ca\.example\.org\/acme\/acme\/directory$/m,
    );
    expect(file("full", "/etc/caddy/Caddyfile")).not.toMatch(/acme_ca/);
  });

  test("is part of health only for internal certificates: public ones depend on DNS and on others", () => {
    expect(partsOfCase("full").sites.authentik?.probes).toHaveLength(1);
    expect(partsOfCase("acme").sites.authentik?.probes).toEqual([]);
  });
});

describe("Caddy itself", () => {
  test("is administered over a Unix socket that only its own user can open (H23)", () => {
    expect(file("full", "/etc/caddy/Caddyfile")).toMatch(/^\tadmin unix\/\/run\/caddy\/admin\.sock$/m);
    expect(section(file("full", "/etc/systemd/system/caddy.service.d/gatehouse.conf"), "Service")).toEqual(
      expect.arrayContaining(["RuntimeDirectory=caddy", "RuntimeDirectoryMode=0700"]),
    );
  });

  test("imports its sites relatively, so that a copy can be checked instead of the live files (H11)", () => {
    expect(file("full", "/etc/caddy/Caddyfile")).toMatch(/^import sites\/\*\.caddy$/m);
  });

  test("is reloaded for its configuration and its sites, and restarted only for its unit (M18)", () => {
    const { caddy, sites } = partsOfCase("full");
    const effects = [...(caddy.files ?? []), ...Object.values(sites).flatMap(({ files = [] }) => files)].map(
      ({ path, restarts, reloads }) => [path, restarts ? "restart" : reloads ? "reload" : "nothing"],
    );
    expect(Object.fromEntries(effects)).toEqual({
      "/etc/caddy/Caddyfile": "reload",
      "/etc/caddy/proxies/backend.caddy": "reload",
      "/etc/caddy/proxies/client.caddy": "reload",
      "/etc/systemd/system/caddy.service.d/gatehouse.conf": "restart",
      "/usr/local/libexec/gatehouse/caddy-reload": "nothing",
      "/etc/caddy/sites/authentik.caddy": "reload",
      "/etc/caddy/sites/grafana.caddy": "reload",
    });
  });

  test("is checked as its own user: root would leave folders that only root can read (H11)", () => {
    for (const { checks } of [partsOfCase("full").caddy, ...Object.values(partsOfCase("full").sites)])
      expect(checks).toMatchObject([{ tree: "/etc/caddy", user: "caddy" }]);
  });
});

describe("the addresses of a site's `bind` are tried before Caddy loads the site:", () => {
  const tried = (directives: string) => {
    const { checks = [] } = siteManifest(debian.caddy, "internal", "x", {
      domain: "x.test",
      backend: "[::1]:1",
      directives,
    });
    return checks.slice(1).map(({ exec }) => exec);
  };

  test.each<[string, string[]]>([
    ["bind 192.0.2.1 ::1", ["192.0.2.1", "::1"]],
    ["bind tcp4/192.0.2.1 udp/192.0.2.2 tcp/[::1]", ["192.0.2.1", "192.0.2.2", "::1"]],
    ['bind "192.0.2.1" {\n\tprotocols h1\n}', ["192.0.2.1"]],
    ["bind \\\n  192.0.2.1\nbind localhost", ["192.0.2.1", "localhost"]],
  ])("%j", (directives, hosts) => {
    expect(tried(directives).map((exec) => exec.slice(4))).toEqual([hosts]);
  });

  test.each(["bind unix//run/x.sock", "bind {$ADDRESS}", "header X-Line bind", ""])("%j has none", (directives) => {
    expect(tried(directives)).toEqual([]);
  });

  test.each<[string, number, string]>([
    ["bind 127.0.0.1 localhost 0.0.0.0", 0, ""],
    [
      "bind 127.0.0.1 192.0.2.1",
      1,
      "bind 192.0.2.1: Cannot assign requested address: the host has no such address; `ip address` lists those that it has\n",
    ],
    ["bind nowhere.invalid", 1, expect.stringMatching(/^bind nowhere\.invalid: .*: the host has no such address/)],
  ])("%j exits with %i", (directives, status, stderr) => {
    const [[program = "", ...args] = []] = tried(directives);
    expect(spawnSync(program, args, { encoding: "utf8" })).toMatchObject({ status, stderr });
  });
});

describe("additional directives of a site", () => {
  const site = (directives: string) =>
    siteManifest(debian.caddy, "internal", "x", { domain: "x.example.org", backend: "127.0.0.1:1", directives })
      .files?.[0]?.content ?? "";

  test("are beside its handler, after the forged headers are removed", () => {
    const lines = file("full", "/etc/caddy/sites/grafana.caddy").split("\n");
    const at = (line: string) => lines.indexOf(line);
    expect(at("\t\trequest_header -Remote-*")).toBeGreaterThan(0);
    expect(at("\t\thandle {")).toBeGreaterThan(at("\t\trequest_header -X-Authentik-*"));
    expect(at("\t\t\tencode gzip")).toBeGreaterThan(at("\t\thandle {"));
  });

  test("are in the site's own block if they have no place in a handler", () => {
    const content = site(
      "encode gzip\ntls {\n\tprotocols tls1.3\n}\n@api path /api/*\nlog\nhandle_errors {\n  respond sorry\n}",
    );
    expect(content).toContain(
      "\ttls internal\n\ttls {\n\t\tprotocols tls1.3\n\t}\n\t@api path /api/*\n\tlog\n\thandle_errors {\n\t  respond sorry\n\t}\n\troute {",
    );
    expect(content).toContain("\t\t\tencode gzip\n\t\t}\n\t}\n}\n");
  });

  test("keep each line within quotes unchanged", () => {
    expect(site('respond "a\n\n  b"')).toContain('\t\t\trespond "a\n\n  b"\n');
  });

  test("that would close the site are refused, also without a schema", () => {
    expect(() => site("}\nother.example.org {")).toThrow(/^line 1: this } closes the site itself/);
  });
});

test("a client's forged headers reach no application, and authentik's pages still reach authentik", () => {
  const taken = (path: string): string[] => file("full", path).match(/(?<=request_header -)\S+/g) ?? [];
  const grafana = taken("/etc/caddy/sites/grafana.caddy");
  expect(grafana).toEqual(expect.arrayContaining(["*_*", "Remote-*", "X-Forwarded-User*", "X-Authentik-*"]));
  const authentik = taken(SITE);
  expect(grafana.filter((name) => !authentik.includes(name))).toEqual(["X-Authentik-*"]);
  for (const path of ["/etc/caddy/sites/grafana.caddy", SITE])
    expect(file("full", path)).toMatch(/^\t\trequest_header X-Real-IP \{http\.request\.remote\.host\}$/m);
});

test("a name or a backend that would open a block is refused, with the template and the value", () => {
  const site = (domain: string) => siteManifest(debian.caddy, "acme", "x", { domain, backend: "127.0.0.1:1" });
  expect(() => site("a.example.org {\n}")).toThrow(
    /^template etc\/caddy\/sites\/site\.caddy: .*"a\.example\.org \{\\n\}" cannot be written into a Caddyfile/s,
  );
  expect(site("a.example.org").files?.[0]?.content).toContain("a.example.org {\n");
});
