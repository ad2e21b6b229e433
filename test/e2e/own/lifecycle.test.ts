// The life of one stack, on a separate host since it is destroyed at the end: deployed through sudo and a proxy, with a
// version of authentik that uses Valkey; its secrets and its key rotated, its state lost, its resources replaced; and
// upgraded to a version with another path for uploads.
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { sealed } from "../../../protocol/document.ts";
import { ask } from "../support/client.ts";
import { BACKED_UP, Lab, run } from "../support/lab.ts";
import { Stack } from "../support/stack.ts";
import { touched, UNITS } from "../support/touched.ts";

const DOMAIN = "auth.lab.internal";
let lab: Lab;
let stack: Stack;

beforeAll(async () => {
  lab = await Lab.create("lifecycle", "2025.8.4", "2025.10.3", "2025.12.0:unhealthy", "2025.12.1");
  await lab.sh(
    "useradd -m -s /bin/bash deploy && cp -r /root/.ssh /home/deploy/ && chown -R deploy: /home/deploy/.ssh",
  );
  await lab.sh("echo 'deploy ALL=(root) NOPASSWD: ALL' >/etc/sudoers.d/deploy");
  // The host's locale was never generated, so PostgreSQL's package creates no cluster, and Valkey does not start. An
  // operator has also replaced the package's settings for new clusters.
  await lab.sh(
    "echo LANG=de_DE.UTF-8 >/etc/default/locale && systemctl set-environment LANG=de_DE.UTF-8 && install -d /etc/postgresql-common && echo 'ssl = on' >/etc/postgresql-common/createcluster.conf",
  );
  stack = await Stack.create(lab, {
    // The host is its own proxy: a hop to 127.0.0.1 through its public address.
    host: {
      address: "127.0.0.1",
      user: "deploy",
      sudo: true,
      hostKey: lab.hostKey,
      proxy: { address: lab.address, hostKey: lab.hostKey },
    },
    valkey: { databases: { authentik: 1 } },
    postgres: { databases: { reports: { owner: "reporting" } }, roles: { reporting: { auth: "scram" } } },
  });
  stack.settings.authentik.version = "2025.8.4";
});
afterAll(async () => {
  await lab.destroy();
  stack.remove();
});

const page = async () => JSON.parse((await ask(lab.address, DOMAIN)).body);
const note = (text: string) => lab.sh(`curl -sf -X POST 'http://127.0.0.1:9000/notes?text=${text}'`);
const notes = async () => (await ask(lab.address, DOMAIN, "/notes")).body;
/** Contents, modes and owners of all files that releases have installed on the host, including secrets. */
const fingerprint = () =>
  lab.sh(
    "find /etc/caddy /etc/valkey /etc/authentik /etc/containers/systemd /etc/postgresql /etc/systemd/system /etc/tmpfiles.d /usr/local/libexec /var/lib/gatehouse/secrets -type f -printf '%p %m %u:%g %T@\\n' -exec sha256sum {} + | sort | sha256sum",
  );

describe("existing objects on a host with names that the stack uses", () => {
  /** The existing state of the host: files, accounts, groups, containers and packages. */
  const there = () =>
    lab.sh(
      "ls -l --time-style=+%s /etc/caddy /usr/local/bin /usr/local/lib; getent passwd; getent group; podman pod ps --format '{{.Id}} {{.Status}}'; podman volume ls -q; dpkg --get-selections | sort | sha256sum; systemctl show -p MainPID door valkey-server",
    );
  const THINGS = {
    "account authentik": /UID 1\d\d\d, home \/home\/authentik, shell \/bin\/bash, a member of sudo/,
    "group valkey-clients": /GID \d+, with deploy/,
    "pod authentik": /created by hand, with .*-infra/,
    "container authentik-worker": /created by hand/,
    "file /etc/caddy/Caddyfile": /\d+ bytes of UID 0/,
    "port *:443/tcp": /taken by python3 \(process \d+\) of door\.service, which listens at 0\.0\.0\.0/,
    "unit valkey-server.service": /running, defined by \/etc\/systemd\/system\/valkey-server\.service/,
  };
  let before: string;

  beforeAll(async () => {
    await lab.sh("apt-get -qq install --no-install-recommends --yes podman crun netavark catatonit >/dev/null 2>&1");
    await lab.sh(
      "useradd -m -s /bin/bash -G sudo authentik && groupadd valkey-clients && gpasswd -a deploy valkey-clients",
    );
    await lab.sh("mkdir -p /etc/caddy && echo 'person.example.org' >/etc/caddy/Caddyfile");
    await lab.sh("podman pod create --name authentik && podman volume create kept");
    await lab.sh(
      "tar -cC / usr/bin/true | podman import -q - localhost/nothing:1 && podman create --name authentik-worker localhost/nothing:1 /usr/bin/true",
    );
    await lab.sh("systemd-run --quiet --unit door python3 -m http.server 443");
    await lab.sh(
      "printf '[Service]\\nExecStart=/bin/sleep infinity\\n' >/etc/systemd/system/valkey-server.service && systemctl daemon-reload && systemctl start valkey-server",
    );
    before = await there();
  });

  test.each(["preview", "up"] as const)(
    "are all reported by `%s`, which ends before anything changes",
    async (command) => {
      const { status, text } = await stack[command]();
      expect(status, text).not.toBe(0);
      for (const [thing, what] of Object.entries(THINGS)) {
        const reported = text.split("\n").find((line) => line.includes(`${thing}: `));
        expect(reported, `${thing} in ${text}`).toMatch(what);
        expect(text).toContain(`- ${thing}\n`);
      }
      expect(text.match(/^ +- [a-z]+ \S+$/gm)).toHaveLength(Object.keys(THINGS).length);
      expect(await there()).toBe(before);
      expect((await lab.try("test -e /usr/local/bin/gatehouse")).status).toBe(1);
    },
  );

  test("that the configuration lets gatehouse take over are reported as such, and the others still stop it", async () => {
    stack.settings.host.takeOver = Object.keys(THINGS).slice(1);
    const { status, text } = await stack.preview();
    expect(status).not.toBe(0);
    expect(text.match(/^ +- [a-z]+ \S+$/gm)).toEqual([expect.stringContaining("account authentik")]);
    delete stack.settings.host.takeOver;
  });

  afterAll(async () => {
    await lab.sh("userdel -r authentik; groupdel valkey-clients; rm /etc/caddy/Caddyfile");
    await lab.sh(
      "podman pod rm -f authentik; podman rm -f authentik-worker; podman volume rm kept; podman rmi localhost/nothing:1",
    );
    await lab.sh(
      "systemctl stop door valkey-server; rm /etc/systemd/system/valkey-server.service; systemctl daemon-reload",
    );
  });
});

test("a cluster that the package would create without checksums is refused before the package is installed, with the line to add", async () => {
  const { status, text } = await stack.up();
  expect(status, text).not.toBe(0);
  const [, line = ""] = /^ *(echo 'create_main_cluster = false' >>\S+) /m.exec(text) ?? [];
  expect(line, text).toBe("echo 'create_main_cluster = false' >>/etc/postgresql-common/createcluster.conf");
  expect((await lab.try("ls /usr/lib/postgresql")).status).toBe(2);
  await lab.sh(line);
});

test("authentik 2025.8 deploys through sudo and a proxy, and uses Valkey over its socket", async () => {
  const { status, text } = await stack.up();
  expect(status, text).toBe(0);
  expect(await page()).toMatchObject({ version: "2025.8.4", valkey: "ok" });
  expect((await stack.outputs()).platform.valkey.databases).toEqual({ authentik: 1 });
});

test("the running pod reaches Valkey after only Valkey was restarted", async () => {
  const { units } = await touched(lab, () => lab.sh("systemctl restart valkey-server"));
  expect(Object.keys(units)).toEqual(["valkey-server.service", "valkey-socket-fix.service"]);
  expect(await page()).toMatchObject({ valkey: "ok" });
});

test("without PostgreSQL or Valkey, 2025.8 is not ready but its router answers; it is ready again with them", async () => {
  const statuses = async () =>
    Promise.all(["ready", "live"].map(async (path) => (await ask(lab.address, DOMAIN, `/-/health/${path}/`)).status));
  for (const unit of ["valkey-server", "postgresql@17-main"]) {
    await lab.sh(`systemctl stop ${unit}`);
    expect([unit, ...(await statuses())]).toEqual([unit, 503, 200]);
    await lab.sh(`systemctl start ${unit}`);
    await expect.poll(statuses, { timeout: 30_000 }).toEqual([200, 200]);
  }
});

test("a second `up` has nothing to do", async () => {
  expect(Object.keys((await stack.up("--expect-no-changes")).counts)).toEqual(["unchanged"]);
});

test("a new password for Valkey's users: both are accepted until authentik uses the new one, then only the new one (H5)", async () => {
  const before = await lab.sh("cat /var/lib/gatehouse/secrets/authentik-secrets/1/valkey_url");
  Object.assign(stack.settings.valkey, { rotation: 2 });
  const { result, units } = await touched(lab, () => stack.up());
  expect(result.status, result.text).toBe(0);
  expect(units).toMatchObject({ "valkey-server.service": "reloaded", "authentik-pod.service": "restarted" });
  expect(units["postgresql@17-main.service"]).toBeUndefined();
  expect(await page()).toMatchObject({ valkey: "ok" });
  expect(
    await lab.sh(
      "ls /var/lib/gatehouse/secrets/authentik-secrets /var/lib/gatehouse/secrets/valkey-authentik | grep -c '^2$'",
    ),
  ).toBe("2");
  expect((await lab.try("ls -d /var/lib/gatehouse/secrets/*/1")).text).not.toMatch(/^\/var/m);
  expect(await lab.sh("grep '^user authentik ' /etc/valkey/users.acl")).toMatch(/^user authentik on #[0-9a-f]{64} ~/);
  const password = /:(\w+)@/.exec(before)?.[1] ?? "";
  const old = await lab.sh(`printf 'AUTH authentik ${password}\\nPING\\n' | valkey-cli -s /run/valkey/valkey.sock`);
  expect(old).toContain("WRONGPASS");
  expect(Object.keys((await stack.up("--expect-no-changes")).counts)).toEqual(["unchanged"]);
});

test("if its state is lost, an `up` adopts the host: nothing changes there, including secrets", async () => {
  const before = await fingerprint();
  await stack.forget();
  const { result, units } = await touched(lab, () => stack.up());
  expect(result.status, result.text).toBe(0);
  expect(units).toEqual({});
  expect(await fingerprint()).toBe(before);
  expect(await page()).toMatchObject({ valkey: "ok" });
});

test("a replaced release exists afterwards (H8)", async () => {
  const state = JSON.parse(await stack.state());
  const urn = state.deployment.resources
    .map((resource: { urn: string }) => resource.urn)
    .find((name: string) => name.endsWith("caddy-site-authentik-release"));
  const { status, text } = await stack.up("--replace", urn);
  expect(status, text).toBe(0);
  expect(await lab.sh("ls /etc/caddy/sites")).toBe("authentik.caddy");
  expect(await page()).toMatchObject({ valkey: "ok" });
});

test("no secret is in the state in plain text", async () => {
  const state = await run("sh", ["-c", `cat ${stack.folder}/.pulumi/stacks/gatehouse/*.json`]);
  const secrets = await lab.sh("cat /var/lib/gatehouse/secrets/*/*/*");
  const words = secrets.split(/[\s#:@]+/).filter((word) => word.length >= 40);
  expect(words.length).toBeGreaterThan(3);
  for (const word of words) expect(state.text).not.toContain(word);
  expect(state.text).not.toContain("OPENSSH PRIVATE KEY");
});

test("`destroy` stops its units and keeps the data; a later `up` finds them again", async () => {
  await note("before-destroy");
  const key = await lab.sh("cat /var/lib/gatehouse/secrets/authentik-secrets/*/secret_key");
  const destroyed = await stack.destroy();
  expect(destroyed.status, destroyed.text).toBe(0);
  for (const line of [
    /data +\/var\/lib\/authentik\/data +rm -r \/var\/lib\/authentik\/data\s/,
    /role +authentik +runuser -u postgres -- dropuser authentik\s/,
    /folder +\/var\/lib\/postgresql +rm -r/,
    /secrets +\/var\/lib\/gatehouse\/secrets\/authentik-secrets +rm -r/,
    /package +caddy +apt-get purge caddy\s/,
    /account +authentik +userdel authentik\s/,
    /group +postgres-clients +groupdel postgres-clients\s/,
    /image +localhost:5000\/authentik-stand-in:\S+ +podman image rm/,
    /agent +\/var\/lib\/gatehouse /,
  ])
    expect(destroyed.text, "what stays, and how it goes").toMatch(line);
  const left = (name: string) => lab.try(`gatehouse leave gatehouse/${name} </dev/null`);
  expect((await left(stack.name)).text, "once more").toMatch(/^role +authentik /m);
  expect(await left("mistyped")).toEqual({
    status: 1,
    text: expect.stringContaining(
      `has nothing on this host; nothing was changed. Stacks that have, or had: gatehouse/${stack.name}`,
    ),
  });
  const kept = ["authentik-secrets", "postgres-passwords", "valkey-authentik", "valkey-gatehouse"];
  expect(JSON.parse(await lab.sh("gatehouse status --json")), "nothing is wanted any more").toMatchObject({
    healthy: true,
    releases: [],
    missing: [],
    retained: kept,
  });
  expect(await lab.sh("gatehouse status")).toContain(
    `secrets that stay for a later \`pulumi up\`: ${kept.join(", ")}\nno release is on this host`,
  );
  expect(JSON.parse(await lab.sh("gatehouse verify --json"))).toMatchObject({ in_sync: true });
  const again = await stack.destroy();
  expect([again.status, again.counts], again.text).toEqual([0, {}]);
  const states = await lab.units("ActiveState", UNITS);
  expect(new Set(Object.values(states))).toEqual(new Set(["inactive"]));
  expect(await lab.sh("ls /etc/containers/systemd | grep -v users || true")).toBe("");
  expect(await lab.sh("head -c 20 /etc/caddy/Caddyfile"), "the package's own file is back").toContain(
    "# The Caddyfile",
  );
  expect(await lab.sh("ls /var/lib/postgresql/17/main/PG_VERSION")).toBeTruthy();
  const back = await stack.up();
  expect(back.status, back.text).toBe(0);
  expect(JSON.parse(await lab.sh("gatehouse status --json"))).toMatchObject({ healthy: true, retained: [] });
  expect(await lab.sh("gatehouse status"), "the secrets are probed again").toMatch(
    /^postgres-passwords .* 1 of 1 pass +in sync$/m,
  );
  expect(await notes()).toContain("before-destroy");
  expect(await lab.sh("cat /var/lib/gatehouse/secrets/authentik-secrets/*/secret_key")).toBe(key);
});

test("a dropped cluster is created again, one without a configuration gets one, and no data is invented", async () => {
  const cluster = "/var/lib/postgresql/17/main";
  const asked = (sql: string) =>
    lab.sh(`cd / && su postgres -c 'LC_ALL=C.UTF-8 psql -XAtd postgres' <<'SQL'\n${sql}\nSQL`);
  const kept = "SELECT count(*) FROM pg_database WHERE datname = 'kept'";
  await lab.sh("cd / && pg_dropcluster --stop 17 main");
  expect((await stack.up()).text).toContain("release postgres is healthy");
  expect(await lab.sh("cd / && pg_lsclusters --no-header")).toMatch(/^17 +main +5432 online/);
  expect(await asked("SELECT rolpassword IS NOT NULL FROM pg_authid WHERE rolname = 'reporting'")).toBe("t");
  // authentik creates its tables when it starts.
  await lab.sh("systemctl restart authentik-pod");
  await lab.awaits("gatehouse status >/dev/null");
  await lab.sh(
    "cd / && su postgres -c 'createdb kept' && systemctl stop postgresql@17-main && rm -r /etc/postgresql/17",
  );
  expect((await stack.up()).text).toContain("release postgres is healthy");
  expect(await asked(kept)).toBe("1");
  await lab.sh(`systemctl stop postgresql@17-main && mv ${cluster} /var/lib/postgresql/away`);
  const { status, text } = await stack.up();
  expect([status, text]).not.toEqual([0, expect.anything()]);
  expect(text).toContain(`has its configuration in /etc/postgresql/17/main, and no data in ${cluster}`);
  expect(text).toContain("pg_dropcluster 17 main");
  expect((await lab.try(`ls ${cluster}`)).status).not.toBe(0);
  await lab.sh(`mv /var/lib/postgresql/away ${cluster}`);
  expect((await stack.up()).text).toContain("release postgres is healthy");
  expect(await asked(kept)).toBe("1");
});

describe("uploads, which versions up to 2025.10 look for in /media and later ones in /data/media,", () => {
  const HOME = "/var/lib/authentik";
  const ICON = "public/icons/logo.txt";
  const before = `/media/${ICON}`;
  const after = `/files/media/${ICON}`;
  let backup: string;
  const upload = (path: string, text: string) =>
    lab.sh(`curl -sf -o /dev/null -X PUT --data ${text} http://127.0.0.1:9000${path}`);
  const fetched = async (path: string) => {
    const { status, body } = await ask(lab.address, DOMAIN, path);
    return status === 200 ? body : status;
  };
  const upgraded = async (version: string, deadline = 60) => {
    Object.assign(stack.settings.authentik, { version, deadline });
    return stack.up();
  };

  /** The manifest of authentik as an earlier version of the program wrote it. */
  async function asEarlier(): Promise<void> {
    const kept = "/var/lib/gatehouse/releases/authentik";
    const manifest = await lab.sh(`cat ${kept}/$(cat ${kept}/current)/manifest.toml; echo .`);
    const earlier = manifest
      .replace(/\.$/, "")
      .replace(/\[\[directory\]\]\npath = "[^"]*\/data"\n[^[]*/, "")
      .replace(`path = "${HOME}/data/media"`, `path = "${HOME}/media"`)
      .replace(`path = "${HOME}/data"`, `path = "${HOME}/media"`)
      .replace(/^formerly = .*\n/m, "")
      .replaceAll(`${HOME}/data/media:`, `${HOME}/media:`)
      .replace(/mode = "0770"\nowner = "root:authentik"/, 'mode = "0750"\nowner = "authentik:authentik"');
    await lab.sh(`gatehouse release authentik --due 0/0 <<'END'\n${sealed(`${earlier.trim()}\n`)}END`);
  }

  test("are in their own folder on a host that an earlier version of the program deployed", async () => {
    stack.settings.backup = { repository: { path: "/srv/backups" } };
    expect((await stack.up()).status).toBe(0);
    await lab.awaits(BACKED_UP);
    await upload(before, "of-2025.8");
    await asEarlier();
    expect(await lab.sh(`cat ${HOME}/media/${ICON}; ls ${HOME}`)).toBe("of-2025.8certs\ndata\nmedia\ntemplates");
    expect(await fetched(before)).toBe("of-2025.8");
    await note("of-2025.8");
    backup = JSON.parse(await lab.sh("gatehouse backup 2>/dev/null")).backup;
  });

  test("move at the next `up`, with the pod stopped, and are moved once", async () => {
    const { result, units } = await touched(lab, () => stack.up());
    expect(result.status, result.text).toBe(0);
    expect(result.text).toContain(`the contents of ${HOME}/media move to ${HOME}/data/media`);
    expect(units["authentik-pod.service"]).toBe("restarted");
    expect(await fetched(before)).toBe("of-2025.8");
    expect(await lab.sh(`ls ${HOME}; cat ${HOME}/data/media/${ICON}`)).toBe("certs\ndata\ntemplates\nof-2025.8");
    expect(Object.keys((await stack.up("--expect-no-changes")).counts)).toEqual(["unchanged"]);
  });

  test("move back with an earlier generation, and move again", async () => {
    await lab.sh("gatehouse rollback authentik");
    expect(await lab.sh(`cat ${HOME}/media/${ICON}`)).toBe("of-2025.8");
    expect(await fetched(before)).toBe("of-2025.8");
    expect((await stack.up()).status).toBe(0);
    expect(await fetched(before)).toBe("of-2025.8");
  });

  test("exist after a failed upgrade to 2025.12, and after a successful one", async () => {
    expect((await upgraded("2025.10.3")).status).toBe(0);
    expect(await fetched(before)).toBe("of-2025.8");
    const failed = await upgraded("2025.12.0", 20);
    expect(failed.text).toContain("which is healthy");
    expect(await page()).toMatchObject({ version: "2025.10.3" });
    expect(await fetched(before)).toBe("of-2025.8");
    const { status, text } = await upgraded("2025.12.1");
    expect(status, text).toBe(0);
    expect(await fetched(after)).toBe("of-2025.8");
    await upload(after.replace("logo", "new"), "of-2025.12");
    expect(await lab.sh(`ls ${HOME}/data/media/public/icons`)).toBe("logo.txt\nnew.txt");
  });

  test("are in a backup, and are restored from one that was taken before they moved", async () => {
    await lab.awaits(BACKED_UP);
    await lab.sh(`gatehouse backup && rm -r ${HOME}/data/media/public`);
    expect(await fetched(after)).toBe(404);
    await lab.sh("gatehouse restore --to latest");
    expect(await fetched(after.replace("logo", "new"))).toBe("of-2025.12");
    await lab.awaits(BACKED_UP);
    await lab.sh("gatehouse restore --confirm");
    const dry = await lab.try(`gatehouse restore --to ${backup} --dry-run`);
    expect(dry.text).toContain(`${HOME}/data,`);
    const { status, text } = await lab.try(`gatehouse restore --to ${backup}`);
    expect(status, text).toBe(0);
    expect(await notes()).toContain("of-2025.8");
    expect(await fetched(after)).toBe("of-2025.8");
    expect(await fetched(after.replace("logo", "new"))).toBe(404);
    expect(await lab.stat(`${HOME}/data`)).toBe("1770 root:authentik");
    await lab.sh("gatehouse restore --undo");
    expect(await fetched(after.replace("logo", "new"))).toBe("of-2025.12");
    expect(Object.keys((await stack.up("--expect-no-changes")).counts)).toEqual(["unchanged"]);
  });
});

test("a stack with another name must name the stack whose releases it takes over, and then has them unchanged", async () => {
  await stack.must(["stack", "rename", `${lab.name}-next`]);
  const next = new Stack(lab, stack.settings, { name: `${lab.name}-next` });
  const refused = await next.up();
  expect(refused.status).not.toBe(0);
  expect(refused.text).toContain(`- stack gatehouse/${lab.name}\n`);
  next.settings.host.takeOver = [`stack gatehouse/${lab.name}`];
  expect((await next.preview()).text).toContain(
    `taken over: stack gatehouse/${lab.name}: on this host postgres-cluster and `,
  );
  expect((await next.plan()).report.warnings.join()).toContain(`taken over: stack gatehouse/${lab.name}`);
  const before = await fingerprint();
  const { result, units } = await touched(lab, () => next.up());
  expect(result.status, result.text).toBe(0);
  expect(units).toEqual({});
  expect(await fingerprint()).toBe(before);
  expect(Object.keys((await next.up("--expect-no-changes")).counts)).toEqual(["unchanged"]);
});
