// Sockets, groups and the running pod after a restart of each service, a reboot of the host, and a power failure.
import { afterEach, beforeAll, expect, inject, test } from "vitest";
import { ask } from "./support/client.ts";
import { Lab } from "./support/lab.ts";
import { POSTGRES, VALKEY } from "./support/platform.ts";
import { touched } from "./support/touched.ts";

let lab: Lab;
beforeAll(async () => {
  lab = await Lab.at(inject("host"));
});

afterEach(async () => {
  await ready();
  expect(await lab.stat("/run/postgresql")).toBe("3770 postgres:postgres-clients");
  expect(await lab.stat("/run/postgresql/.s.PGSQL.5432")).toBe("770 postgres:postgres-clients");
  expect(await lab.stat("/run/valkey")).toBe("3770 valkey:valkey-clients");
  expect(await lab.stat("/run/valkey/valkey.sock")).toBe("770 valkey:valkey-clients");
});

const page = async (path = "/") => ask(lab.address, "auth.lab.internal", path);

/** Waits until authentik reports that it reaches its database again. */
async function ready(): Promise<void> {
  for (let left = 300; ; left--) {
    const status = await page("/-/health/ready/").then(
      (reply) => reply.status,
      () => 0,
    );
    if (status === 200) return;
    if (left === 0) throw new Error(`authentik does not get ready again: ${status}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

const restart = async (unit: string) => (await touched(lab, () => lab.sh(`systemctl restart ${unit}`))).units;

test("a restart of PostgreSQL restarts nothing else, and the running pod reaches it again", async () => {
  expect(await restart(POSTGRES)).toEqual({ [POSTGRES]: "restarted" });
});

test("without PostgreSQL authentik answers with its own page, and recovers by itself", async () => {
  const asked = (path: string) => page(path).then(({ status, body }) => [status, body.includes("<html>")]);
  await lab.sh(`systemctl stop ${POSTGRES}`);
  expect(await asked("/-/health/ready/")).toEqual([500, true]);
  expect(await asked("/-/health/live/")).toEqual([502, false]);
  expect(await asked("/")).toEqual([500, true]);
  const { units } = await touched(lab, () => lab.sh(`systemctl start ${POSTGRES}`));
  await ready();
  expect(Object.keys(units)).toEqual([POSTGRES]);
});

test("a restart of Valkey runs the socket check again and nothing else; its directory is the same one", async () => {
  const inode = await lab.sh("stat -c %i /run/valkey");
  expect(await restart(VALKEY)).toEqual({
    [VALKEY]: "restarted",
    "valkey-socket-fix.service": "restarted",
  });
  expect(await lab.sh("stat -c %i /run/valkey")).toBe(inode);
});

test("a restart of one container does not affect the pod and the other container", async () => {
  expect(await restart("authentik-server")).toEqual({ "authentik-server.service": "restarted" });
});

test("a container that starts slowly is not checked meanwhile, and active soon after it is ready", async () => {
  const variables = "/etc/authentik/authentik.env";
  await lab.sh(`cp -a ${variables} /root/; echo AUTHENTIK_STANDIN_BOOT=10 >>${variables}`);
  const [from] = (await lab.sh("date +%s; systemctl restart authentik-server authentik-worker")).split("\n");
  await lab.sh(`mv /root/authentik.env ${variables}`);
  for (const name of ["authentik-server", "authentik-worker"]) {
    const [ready, active, checks] = (
      await lab.sh(`
      journalctl --since @${from} --unit ${name} --output short-unix | grep 'stand-in: started' | cut -d' ' -f1
      date -d "$(systemctl show -P ActiveEnterTimestamp --timestamp=us ${name})" +%s.%6N
      podman events --stream=false --since ${from} --filter event=health_status --filter container=${name} | wc -l`)
    )
      .split("\n")
      .map(Number) as [number, number, number];
    expect(active - ready, `${name}: seconds from ready to active`).toBeLessThan(6);
    expect(checks, `${name}: completed checks`).toBeLessThan(3);
  }
});

test("a restart of the pod restarts its containers and nothing else", async () => {
  expect(Object.keys(await restart("authentik-pod")).sort()).toEqual([
    "authentik-pod.service",
    "authentik-server.service",
    "authentik-worker.service",
  ]);
});

test("a restart of Caddy restarts nothing else", async () => {
  expect(await restart("caddy")).toEqual({ "caddy.service": "restarted" });
});

test.each([
  ["a reboot", { hard: false }],
  ["a power cut", { hard: true }],
])("after %s everything runs again and the data exists", async (what, how) => {
  const note = what.replaceAll(" ", "-");
  await lab.sh(`curl -sf -X POST 'http://127.0.0.1:9000/notes?text=${note}'`);
  await lab.reboot(how);
  await ready();
  expect((await page("/notes")).body).toContain(note);
  expect(await lab.sh("systemctl --failed --no-legend")).toBe("");
});
