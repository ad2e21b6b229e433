// A wrong change fails with a clear message, and running services keep running.
import { afterAll, afterEach, beforeAll, describe, expect, inject, test } from "vitest";
import { documentUrl } from "../../components/connection/documents.ts";
import { ask, watch } from "./support/client.ts";
import { IMAGE, Lab } from "./support/lab.ts";
import { Stack } from "./support/stack.ts";
import { touched } from "./support/touched.ts";

const DOMAIN = "auth.lab.internal";
const UNHEALTHY = `${IMAGE}:2026.8.5`;
let lab: Lab;

beforeAll(async () => {
  lab = await Lab.at(inject("host"));
  await new Stack(lab).up();
});

afterEach(async () => {
  const { status, text } = await new Stack(lab).up();
  expect(status, text).toBe(0);
});

test("a site that Caddy accepts but cannot load is rolled back, and Caddy continues and accepts the next one", async () => {
  const stack = new Stack(lab);
  const site = { domain: "extra.lab.internal", backend: "127.0.0.1:9000" };
  // Caddy's sandbox hides this folder, which the check sees.
  await lab.sh(
    "mkdir -p /home/site && cd /home/site && openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=own -keyout own.key -out own.pem 2>/dev/null && chown caddy own.key",
  );
  const directives = "tls /home/site/own.pem /home/site/own.key";
  Object.assign(stack.settings.caddy, { sites: { extra: { ...site, directives } } });
  const stop = watch(lab.address, DOMAIN);
  const failed = await stack.up();
  expect(failed.status).not.toBe(0);
  expect(failed.text).toMatch(/systemctl reload caddy\.service failed/);
  expect(failed.text).toContain("open /home/site/own.pem: ");
  expect(await lab.sh("systemctl is-active caddy && ls /etc/caddy/sites")).toBe("active\nauthentik.caddy");
  const reported = await lab.try("gatehouse status");
  expect(reported).toMatchObject({ status: 3 });
  expect(reported.text).toMatch(/^site-extra +- .* missing$/m);
  expect(reported.text).toMatch(
    /^site-extra +it is not on this host although the last `pulumi up` of \S+ wanted it; .*systemctl reload caddy\.service failed/m,
  );
  expect(reported.text.match(/^\S+ +it is not on this host/gm), "and nothing else is missing").toHaveLength(1);
  Object.assign(stack.settings.caddy, { sites: { extra: site } });
  const { status, text } = await stack.up();
  expect(status, text).toBe(0);
  expect((await lab.try("gatehouse status")).status).toBe(0);
  expect((await ask(lab.address, site.domain)).status).toBe(200);
  expect((await stop()).failures).toEqual([]);
  await lab.sh("rm -r /home/site");
});

test("a reload that never ends is reported by status, and ended by the next up", async () => {
  // A Caddy that cannot load its configuration sends only this message to systemd: that it is reloading.
  const says = `import socket, struct, sys
creds = (socket.SOL_SOCKET, socket.SCM_CREDENTIALS, struct.pack("iii", int(sys.argv[1]), 0, 0))
socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM).sendmsg([b"RELOADING=1"], [creds], 0, "/run/systemd/notify")`;
  await lab.sh(`python3 -c '${says}' $(systemctl show -P MainPID caddy)`);
  await lab.awaits("systemctl is-active caddy | grep -q reloading");
  await lab.awaits("! gatehouse status >/dev/null");
  const { status, text } = await lab.try("gatehouse status");
  expect([status, text]).toEqual([3, expect.stringMatching(/^caddy +the reload of caddy\.service does not finish$/m)]);
  const result = await new Stack(lab).up();
  expect(result.text).toContain("restart caddy.service");
  expect((await lab.try("gatehouse status")).status).toBe(0);
});

test("an image that never becomes healthy is rolled back, together with the database that it migrated (H2)", async () => {
  await lab.sh("curl -sf -X POST 'http://127.0.0.1:9000/notes?text=before-the-upgrade'");
  const stack = new Stack(lab);
  Object.assign(stack.settings.authentik, { version: "2026.8.5", deadline: 15 });
  const result = await stack.up();
  expect(result.status).not.toBe(0);
  expect(result.text).toMatch(/probe authentik is ready: .* answers 503 instead of 2xx/);
  expect(result.text).toMatch(/rolled back to generation \d+, which is healthy/);
  expect(result.text).toMatch(/error: release authentik failed at \w+ ".+": rolled back \(exit status 3\)/);
  for (const unit of ["authentik-server", "authentik-worker"])
    expect(result.text, "the apply restarts only the pod").toContain(`the last lines of ${unit}.service:`);
  expect(result.text.split(documentUrl("docs/manifest.md#exit-codes"))).toHaveLength(2);
  expect(result.text).toContain("restore database authentik");
  const reported = await lab.try("gatehouse status");
  expect([reported.status, reported.text]).toEqual([
    3,
    expect.stringMatching(/^authentik +it is not the version that the last .* wanted; run that again: .*answers 503/m),
  ]);
  const page = JSON.parse((await ask(lab.address, DOMAIN)).body);
  expect(page.version).toBe("2026.8.3");
  expect(page.postgresql.history).not.toContain("2026.8.5");
  expect((await ask(lab.address, DOMAIN, "/notes")).body).toContain("before-the-upgrade");
  const failed = await lab.sh(
    "su postgres -c 'psql -XAtd authentik_failed_upgrade -c \"select version from authentik_version_history\"'",
  );
  expect(failed, "the database of the failed upgrade is kept as well").toContain("2026.8.5");
  await lab.sh(`podman create --name operators ${UNHEALTHY}`);
});

test("its image, which nothing needs, goes with the next healthy apply, unless an operator's container or Quadlet has it", async () => {
  const isThere = async () => (await lab.try(`podman image exists ${UNHEALTHY}`)).status === 0;
  const stack = new Stack(lab);
  Object.assign(stack.settings.caddy, { email: "operator@lab.internal" });
  const kept = await stack.up();
  expect(kept.status, kept.text).toBe(0);
  expect(await isThere(), "a stopped container has it").toBe(true);
  expect((await lab.try("gatehouse status")).text).toMatch(/^images: .* no longer needed$/m);
  // A Quadlet of the operator, which is not started at the moment, behind a symlink.
  const linked = "/etc/containers/systemd/own.container";
  await lab.sh(
    `podman rm operators && printf '[Container]\\nImage=${UNHEALTHY}\\n' >/root/own.container && ln -s /root/own.container ${linked}`,
  );
  Object.assign(stack.settings.caddy, { email: "other@lab.internal" });
  expect((await stack.up()).status).toBe(0);
  expect(await isThere(), "a symlinked Quadlet has it").toBe(true);
  await lab.sh(`rm ${linked} /root/own.container`);
  const freed = await new Stack(lab).up();
  expect(freed.text).toMatch(/image \S+:2026\.8\.5 is no longer needed and removed: /);
  expect(await isThere()).toBe(false);
  expect((await lab.try("gatehouse status")).text).not.toMatch(/^images: .* no longer needed$/m);
});

test("an apply does not wait until the deadline for a container that Podman cannot start, and prints its error", async () => {
  const stack = new Stack(lab);
  Object.assign(stack.settings.authentik, { container: { Volume: "/nowhere:/nowhere" }, deadline: 900 });
  const began = Date.now();
  const result = await stack.up();
  expect(result.status).not.toBe(0);
  expect(result.text).toMatch(/authentik-(server|worker)\.service has ended 5 times in the same way: exit status 125/);
  const [, first, ...others] = result.text.split("  the last lines of ");
  expect(first).toMatch(/^authentik-(server|worker)\.service:\n[\s\S]*\/nowhere: no such file/);
  expect(others.join(""), "Podman's error is in the lines of both containers").toContain("/nowhere: no such file");
  expect(result.text).toMatch(/rolled back to generation \d+, which is healthy/);
  expect(Date.now() - began).toBeLessThan(200_000);
});

describe("with any sessions in the database, and any settings of the cluster:", () => {
  const GUCS: Record<string, string> = {
    statement_timeout: "20ms",
    // The authentication of any session is a transaction too, before the settings of its role apply.
    transaction_timeout: "200ms",
    idle_session_timeout: "20ms",
    lock_timeout: "1ms",
    default_transaction_read_only: "on",
    default_transaction_isolation: "serializable",
    synchronous_standby_names: "away",
  };
  const IMMUNE = "-cstatement_timeout=0 -ctransaction_timeout=0 -cidle_session_timeout=0 -clock_timeout=0";
  const psql = (statements: string[]) =>
    lab.sh(
      `runuser -u postgres -- env PGOPTIONS='${IMMUNE} -cdefault_transaction_read_only=off -csynchronous_commit=local' psql -Xqv ON_ERROR_STOP=1 <<'SQL'\n${statements.join(";\n")};\nSQL`,
    );
  /** Sessions that reconnect as soon as they are ended. */
  const monitors = (verb: "start" | "stop") =>
    Promise.all(
      ["authentik", "authentik_before_upgrade", "authentik_failed_upgrade"].map((database) =>
        verb === "stop"
          ? lab.sh(`systemctl stop monitor-${database}`)
          : lab.sh(
              `systemd-run --quiet --unit=monitor-${database} --uid=postgres --setenv=PGOPTIONS='${IMMUNE}' sh -c 'while :; do psql -Xqd ${database} -c "SELECT pg_sleep(600)" 2>/dev/null || sleep 0.02; done'`,
            ),
      ),
    );

  beforeAll(async () => {
    // The settings that authentik itself needs are restored for its next sessions.
    await psql([
      ...Object.keys(GUCS)
        .filter((name) => name !== "synchronous_standby_names")
        .map(
          (name) =>
            `ALTER ROLE authentik SET ${name} = '${name.startsWith("default") ? { default_transaction_read_only: "off", default_transaction_isolation: "read committed" }[name] : "0"}'`,
        ),
      "ALTER ROLE authentik SET synchronous_commit = local",
    ]);
    await lab.sh("systemctl restart authentik-pod.service");
    await psql([
      ...Object.entries(GUCS).map(([name, value]) => `ALTER SYSTEM SET ${name} = '${value}'`),
      "SELECT pg_reload_conf()",
    ]);
    await monitors("start");
  });
  afterAll(async () => {
    await monitors("stop");
    await psql([
      ...Object.keys(GUCS).map((name) => `ALTER SYSTEM RESET ${name}`),
      "ALTER ROLE authentik RESET ALL",
      "SELECT pg_reload_conf()",
    ]);
  });

  test.each([
    ["another image is taken", false],
    ["another one that fails goes back with its database", true],
    ["and one is taken after that", false],
  ])("%s", async (_, fails) => {
    const stack = new Stack(lab);
    Object.assign(stack.settings.authentik, fails ? { version: "2026.8.5", deadline: 15 } : { version: "2026.8.4" });
    const { status, text } = await stack.up();
    expect(status === 0, text).toBe(!fails);
    if (fails) expect(text).toMatch(/restore database authentik[\s\S]*rolled back to generation \d+, which is healthy/);
    const page = JSON.parse((await ask(lab.address, DOMAIN)).body);
    expect(page.version).toBe(fails ? "2026.8.3" : "2026.8.4");
  });
});

test("if the power fails while a new image migrates, image and database are rolled back together (H2, H16)", async () => {
  await lab.sh("curl -sf -X POST 'http://127.0.0.1:9000/notes?text=before-the-cut'");
  const stack = new Stack(lab);
  Object.assign(stack.settings.authentik, { version: "2026.8.5", deadline: 60 });
  const up = stack.begin();
  const history = "su postgres -c 'psql -XAtd authentik -c \"select version from authentik_version_history\"'";
  await lab.awaits(`${history} 2>&1 | grep -q 2026.8.5`);
  await lab.reboot({ hard: true });
  await up.kill();
  await stack.must(["cancel", "--yes"]);
  const healthy = `all(release["healthy"] for release in json.load(sys.stdin)["releases"])`;
  await lab.awaits(`gatehouse status --json | python3 -c 'import json, sys; sys.exit(not ${healthy})'`);
  const { behind } = JSON.parse((await lab.try("gatehouse status --json")).text);
  expect(behind, "what the last `up` wanted").toEqual([expect.objectContaining({ release: "authentik" })]);
  expect(await lab.sh("journalctl --boot --output=cat --unit=gatehouse-recovered")).toContain(
    "restore database authentik",
  );
  const page = JSON.parse((await ask(lab.address, DOMAIN)).body);
  expect(page.version).toBe("2026.8.3");
  expect(page.postgresql.history).not.toContain("2026.8.5");
  expect((await ask(lab.address, DOMAIN, "/notes")).body).toContain("before-the-cut");
});

test("an image of a private registry is pulled with the configured login, also at boot, and with root's own login", async () => {
  const stack = new Stack(lab);
  const [image, version] = ["localhost:5000/private/authentik-stand-in", "2026.8.3"];
  Object.assign(stack.settings.authentik, { image });
  const forgotten = `systemctl stop authentik-pod && podman rmi --force ${image}:${version}`;
  const { result, units } = await touched(lab, () => stack.up());
  expect(result.text).toMatch(
    /cannot be pulled, nothing was changed:[\s\S]*unauthorized[\s\S]*localhost:5000 requires a login/,
  );
  expect(units).toEqual({});
  await stack.setSecret(
    "registries",
    JSON.stringify({ "localhost:5000": { username: "lab", password: "correct horse" } }),
  );
  const first = await stack.up();
  expect(first.status, first.text).toBe(0);
  // As at boot: started only by the units.
  await lab.sh(`${forgotten} && systemctl start authentik-pod`);
  await lab.awaits("gatehouse status >/dev/null");
  expect(await lab.sh("podman ps --format '{{.Image}}' | sort -u")).toContain(`${image}:${version}`);
  expect((await lab.try("grep -rsl 'correct horse' /etc /usr/local")).text).toBe("");
  expect(
    await lab.sh(
      "cd / && setpriv --reuid 65534 --clear-groups sh -c 'echo localhost:5000 | docker-credential-gatehouse get || :'",
    ),
  ).toBe("credentials not found in native keychain");
  await stack.dropSecret("registries");
  const home = "/root/.config/containers/auth.json";
  await lab.sh(
    `${forgotten}; echo 'correct horse' | podman login --authfile ${home} -u lab --password-stdin localhost:5000`,
  );
  const own = await stack.up();
  expect(own.status, own.text).toBe(0);
  expect((await lab.try("ls /usr/local/bin/docker-credential-gatehouse")).status).not.toBe(0);
  await lab.sh(`${forgotten} && systemctl start authentik-pod`);
  await lab.awaits("gatehouse status >/dev/null");
  await lab.sh(`podman logout --authfile ${home} localhost:5000`);
});

test("an older image is refused before anything stops, unless allowDowngrade permits it", async () => {
  const stack = new Stack(lab);
  Object.assign(stack.settings.authentik, { version: "2026.8.2", allowDowngrade: false });
  const { result, units } = await touched(lab, () => stack.up());
  expect(result.status).not.toBe(0);
  expect(units).toEqual({});
  expect(result.text).toMatch(/authentik-stand-in:2026\.8\.2 is older than \S+:2026\.8\.3, which this host has/);
  expect(result.text).toContain("To replace it anyway, set authentik.allowDowngrade: true in the configuration");
  Object.assign(stack.settings.authentik, { version: "2026.2.1", allowDowngrade: true });
  const further = await touched(lab, () => stack.up());
  expect(further.result.status).not.toBe(0);
  expect(further.result.text).toContain("A permitted downgrade goes back by one series only, here to 2026.5");
  expect(further.units).toEqual({});
});

test("an image that cannot be pulled is refused before anything stops", async () => {
  const stack = new Stack(lab);
  Object.assign(stack.settings.authentik, { version: "2026.9.9" });
  const { result, units } = await touched(lab, () => stack.up());
  expect(result.text).toMatch(
    /image localhost:5000\/authentik-stand-in:2026\.9\.9 cannot be pulled, nothing was changed/,
  );
  expect(units).toEqual({});
});
