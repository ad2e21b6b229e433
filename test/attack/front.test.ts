// Attacks on all sites through Caddy: an application's files in a served folder, slow clients, and forged client
// identities.
import { request } from "node:https";
import { connect } from "node:tls";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ask } from "../e2e/support/client.ts";
import { run } from "../e2e/support/lab.ts";
import { Attacked } from "./support/host.ts";

const [AUTH, VICTIM, PLAIN] = ["auth.lab.internal", "victim.attack.internal", "plain.attack.internal"];
let host: Attacked;
beforeAll(async () => {
  host = await Attacked.host();
  await host.inside("plain", "open('/pub/index.html', 'w').write('pages')");
  await host.inside("victim", "open('/srv/index.html', 'w').write('victim')");
});

const status = async (site: string, path = "/") => (await ask(host.lab.address, site, path)).status;
const others = async () => expect(await Promise.all([status(AUTH), status(VICTIM)])).toEqual([200, 200]);
/** Waits up to twenty seconds for a site to answer with this status. */
const answers = async (site: string, wanted: number, path = "/") => {
  let got: unknown;
  for (const until = Date.now() + 20_000; Date.now() < until; await new Promise((next) => setTimeout(next, 250))) {
    got = await status(site, path).catch((error: Error) => error.message);
    if (got === wanted) return;
  }
  expect(got).toBe(wanted);
};
const caddy = (property: string) => host.lab.units(property, ["caddy.service"]);

describe("what an application puts into the folder that is served", () => {
  test("ordinary pages are served", async () => {
    expect(await ask(host.lab.address, PLAIN)).toMatchObject({ status: 200, body: "pages" });
    expect(await status(PLAIN, "/missing")).toBe(404);
  });

  test.each([
    ["a FIFO", "/trap", "import os; os.mkfifo('/pub/trap')"],
    ["a socket", "/trap", "import socket; socket.socket(socket.AF_UNIX).bind('/pub/trap')"],
    [
      "a FIFO in place of a file",
      "/trap",
      "import os; open('/pub/trap', 'w').write('x'); os.mkfifo('/pub/.trap'); os.rename('/pub/.trap', '/pub/trap')",
    ],
    [
      "a FIFO in place of a folder's page",
      "/trap/",
      "import os; os.mkdir('/pub/trap'); os.mkfifo('/pub/trap/index.html')",
    ],
  ])("%s, requested 600 times, does not delay another site", async (_, path, program) => {
    await host.inside("plain", program);
    const process = await caddy("MainPID");
    for (let asked = 0; asked < 600; asked += 200)
      await Promise.all(Array.from({ length: 200 }, () => status(PLAIN, path).catch(() => 0)));
    await others();
    expect(await caddy("MainPID")).toEqual(process);
    await host.inside(
      "plain",
      "import os, shutil; shutil.rmtree('/pub/trap') if os.path.isdir('/pub/trap') else os.unlink('/pub/trap')",
    );
    await answers(PLAIN, 200);
  });

  test("its own server can do nothing else, and no container reaches its socket", async () => {
    const owner = await host.lab.sh("ps -o user:32=,group= -p $(systemctl show --value -p MainPID files-plain)");
    expect(owner).toMatch(/^(?!root|caddy|plain)\S+ +caddy$/);
    expect((await host.as("plain", "curl -s --unix-socket /run/files-plain/caddy.sock http://x/")).status).not.toBe(0);
    expect((await host.as("caddy", "curl -s --unix-socket /run/files-plain/caddy.sock http://x/")).text).toBe("pages");
  });

  test("symlinks, dotfiles and files that are not public are not served", async () => {
    await host.inside(
      "plain",
      "import os; os.symlink('/etc/passwd', '/pub/link'); open('/pub/.env', 'w').write('x'); open('/pub/shut', 'w').write('x'); os.chmod('/pub/shut', 0o600); os.makedirs('/pub/list')",
    );
    expect([await status(PLAIN, "/.env"), await status(PLAIN, "/list/"), await status(PLAIN, "/shut")]).toEqual([
      404, 404, 403,
    ]);
    expect((await ask(host.lab.address, PLAIN, "/link")).body).not.toContain("root");
  });
});

describe("slow clients", () => {
  const open: { destroy(): void }[] = [];
  afterAll(() => {
    for (const one of open) one.destroy();
  });

  /** Opens many connections from outside that send these words and read nothing. */
  async function slow(count: number, words: string) {
    for (let at = 0; at < count; at += 100)
      await Promise.all(
        Array.from({ length: 100 }, () => {
          const socket = connect({ host: host.lab.address, port: 443, servername: VICTIM, rejectUnauthorized: false });
          open.push(socket);
          socket.on("error", () => {});
          return new Promise<void>((next) =>
            socket.once("secureConnect", () => socket.write(words, () => next())).once("error", () => next()),
          );
        }),
      );
  }

  test("1200 that never finish their headers do not block a site, and are disconnected", async () => {
    await slow(1200, "GET / HTTP/1.1\r\nHost: victim.attack.internal\r\nX-Slow: ");
    await others();
    await host.lab.awaits("[ $(ss -Htn state established '( sport = :443 )' | wc -l) -lt 50 ]");
  });

  test("1200 that do not read a long file do not block a site", async () => {
    await host.inside("plain", "open('/pub/long', 'wb').truncate(64 << 20)");
    await slow(1200, `GET /long HTTP/1.1\r\nHost: ${PLAIN}\r\n\r\n`);
    await others();
  });

  test("the same number from a container does not either", async () => {
    const started = host.tryInside(
      "evil",
      `import socket, time
held = []
for number in range(1500):
    try:
        one = socket.create_connection(('${host.lab.address}', 443), 5); one.sendall(b'\\x16\\x03\\x01'); held.append(one)
    except OSError as error: print(error); break
print(len(held)); time.sleep(8)`,
    );
    await new Promise((next) => setTimeout(next, 5000));
    await others();
    expect((await started).text).toMatch(/\d{3,}/);
  });

  test("a slow reader still gets a long file completely", async () => {
    const got = await run("curl", [
      "--silent",
      "--insecure",
      "--limit-rate",
      "4M",
      "--output",
      "/dev/null",
      "--write-out",
      "%{size_download}",
      "--connect-to",
      `${PLAIN}:443:${host.lab.address}:443`,
      `https://${PLAIN}/long`,
    ]);
    expect(got.text).toBe(String(64 << 20));
  });
});

test("Caddy restarts each time it is killed", async () => {
  for (let time = 0; time < 7; time++) {
    await host.lab.sh("kill -9 $(systemctl show --value -p MainPID caddy)");
    await answers(AUTH, 200);
  }
  await others();
  expect(await status(PLAIN)).toBe(200);
});

describe("forged client headers", () => {
  /** Returns the request that reached it. */
  const ECHO = `
import http.server, json
class Echo(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.end_headers(); self.wfile.write(json.dumps(self.headers.items()).encode())
    log_message = lambda *a: None
http.server.ThreadingHTTPServer(('0.0.0.0', 8080), Echo).serve_forever()`;
  const CLAIMS = [
    ...["X-Authentik-Username", "x-authentik-groups", "X-AUTHENTIK-UID", "X-Authentik-Jwt", "X-authentik-meta-app"],
    ...["X_Authentik_Username", "X-Authentik_Username", "x_authentik-groups", "X-Authentik.Username"],
    ...["Remote-User", "remote-user", "REMOTE_USER", "Remote_User", "Remote-Groups", "X-Remote-User", "X_Remote_User"],
    ...["X-Forwarded-User", "X-Forwarded-Email", "X-Forwarded-Groups", "X-Forwarded-Preferred-Username"],
    ...["X-Auth-Request-User", "X-WebAuth-User", "X_Real_IP", "X-Real_IP", "HTTP_REMOTE_USER", "Forwarded"],
  ];
  let headers: [string, string][];
  const sent = (names: string[]) => Object.fromEntries(names.map((name) => [name, "akadmin"]));
  const outside = (given: Record<string, string>): Promise<[string, string][]> =>
    new Promise((resolve, reject) => {
      const options = { host: host.lab.address, servername: VICTIM, rejectUnauthorized: false, path: "/" };
      request({ ...options, headers: { Host: VICTIM, ...given } }, (answer) => {
        let body = "";
        answer.on("data", (chunk) => (body += chunk)).on("end", () => resolve(JSON.parse(body)));
      })
        .on("error", reject)
        .end();
    });

  beforeAll(async () => {
    host.apps.settings.apps.victim.containers.web.command = ["-c", `exec(${JSON.stringify(ECHO)})`];
    const { status, text } = await host.apps.up();
    expect(status, text).toBe(0);
    await answers(VICTIM, 200);
  });

  test("do not reach an application over HTTP/1.1", async () => {
    headers = await outside({
      ...sent(CLAIMS),
      "X-Real-IP": "1.2.3.4",
      "X-Forwarded-For": "1.2.3.4",
      Connection: "X-Real-IP",
    });
    expect(JSON.stringify(headers)).not.toContain("akadmin");
    expect(JSON.stringify(headers)).not.toContain("1.2.3.4");
    expect(headers.filter(([name]) => /^x-real-ip$/i.test(name)).map(([, value]) => value)).toEqual([host.lab.gateway]);
  });

  test("do not reach it over HTTP/2", async () => {
    const named = [...CLAIMS, "X-Real-IP"].flatMap((name) => ["--header", `${name}: akadmin`]);
    const { text } = await run("curl", [
      ...["--silent", "--insecure", "--http2", "--write-out", "%{http_version}", ...named],
      ...["--connect-to", `${VICTIM}:443:${host.lab.address}:443`, `https://${VICTIM}/`],
    ]);
    expect(text).toMatch(/\]2$/);
    expect(text).not.toContain("akadmin");
    expect(text).toContain(`["X-Real-Ip", "${host.lab.gateway}"]`);
  });

  test("other headers do", async () => {
    const ordinary = {
      Authorization: "Bearer x",
      Cookie: "a_b=c",
      "X-Auth-Token": "x",
      "X-Request-Id": "x",
      "X-CSRF-Token": "x",
    };
    const arrived = new Map((await outside(ordinary)).map(([name, value]) => [name.toLowerCase(), value]));
    for (const [name, value] of Object.entries(ordinary))
      expect([name, arrived.get(name.toLowerCase())]).toEqual([name, value]);
    expect(arrived.get("x-forwarded-proto")).toBe("https");
  });

  test("headers set by the site's own directives arrive, even if a client forged them", async () => {
    const { site } = host.apps.settings.apps.victim;
    const before = site.directives;
    // Sets the identity header as authentik would: Caddy runs forward_auth before request_header.
    site.directives = `forward_auth 127.0.0.1:9000 {
  uri /-/health/live/
  copy_headers Date>X-Authentik-Username
}
basicauth /closed {
  me $2a$14$Zkx19XLiW6VYouLHR5NmfOFU0z2GTNmpkT/5qqR7hx4IjWJPDhjvG
}
log`;
    const { status: done, text } = await host.apps.up();
    expect(done, text).toBe(0);
    const arrived = (
      await outside({
        "X-Authentik-Username": "akadmin",
        "X-Authentik-Email": "akadmin",
        Connection: "X-Authentik-Username",
      })
    ).filter(([name]) => /authentik/i.test(name));
    expect(arrived).toEqual([["X-Authentik-Username", expect.stringMatching(/GMT$/)]]);
    expect(await status(VICTIM, "/closed")).toBe(401);
    site.directives = before;
  });

  test.each([
    ["}", "closes the site itself"],
    ["}\nother.attack.internal {\nrespond mine", "closes the site itself"],
    ["respond hi {", "has no matching }"],
    ['"}"\nother.attack.internal "{"', "closes the site itself"],
    ["other.attack.internal {\nrespond mine\n}", "expected a directive"],
  ])(
    "lines that would end the site or open another are refused before anything changes: %j",
    async (directives, why) => {
      const { site } = host.apps.settings.apps.victim;
      const before = site.directives;
      site.directives = directives;
      const { status, text } = await host.apps.up();
      site.directives = before;
      expect(status).not.toBe(0);
      expect(text).toContain("nothing was changed");
      expect(text).toMatch(/site\.directives: line \d/);
      expect(text).toContain(why);
    },
  );

  test("authentik's own pages still receive the header that protects them", async () => {
    expect(await host.lab.sh("cat /etc/caddy/sites/authentik.caddy")).not.toMatch(/request_header -X-Authentik/);
  });
});
