// A change that is wrong fails with a clear message, and what ran before goes on running.
import { afterEach, beforeAll, expect, inject, test } from "vitest";
import { ask, watch } from "./support/client.ts";
import { Lab } from "./support/lab.ts";
import { type Settings, Stack } from "./support/stack.ts";
import { touched } from "./support/touched.ts";

const DOMAIN = "auth.lab.internal";
let lab: Lab;

beforeAll(async () => {
  lab = await Lab.at(inject("host"));
  await new Stack(lab).up();
});

afterEach(async () => {
  const { status, text } = await new Stack(lab).up();
  expect(status, text).toBe(0);
});

const BAD: { what: string; make: (settings: Settings) => void; says: RegExp[] }[] = [
  {
    what: "a bad line in a Caddyfile fragment",
    make: (settings) =>
      Object.assign(settings.caddy, {
        sites: { extra: { domain: "extra.lab.internal", backend: "127.0.0.1:9000", directives: "banana split" } },
      }),
    says: [
      /check caddy validate refuses the new files, nothing was changed/,
      /sites\/extra\.caddy:\d+/,
      /unrecognized directive: banana/,
    ],
  },
  {
    what: "a key that Quadlet does not know",
    make: (settings) => Object.assign(settings.authentik, { container: { Memry: "1g" } }),
    says: [
      /Podman refuses the Quadlet files, nothing was changed/,
      /authentik-server\.container.*unsupported key 'Memry'/,
    ],
  },
  {
    what: "a PostgreSQL setting whose value is wrong",
    make: (settings) => Object.assign(settings, { postgres: { settings: { shared_buffers: "banana" } } }),
    says: [/a scratch PostgreSQL starts with the new files/, /invalid value for parameter "shared_buffers": "banana"/],
  },
  {
    what: "a PostgreSQL setting that only fails when the server starts",
    make: (settings) => Object.assign(settings, { postgres: { settings: { shared_preload_libraries: "not_there" } } }),
    says: [/a scratch PostgreSQL starts with the new files/, /could not access file "not_there"/],
  },
  {
    what: "a Valkey setting that does not exist",
    make: (settings) => Object.assign(settings, { valkey: { settings: { banana: 1 } } }),
    says: [/a scratch Valkey starts with the new files/, /Bad directive or wrong number of arguments/],
  },
];

test.each(BAD)("$what is refused; no unit is touched and no request fails", async ({ make, says }) => {
  const stack = new Stack(lab);
  make(stack.settings);
  const stop = watch(lab.address, DOMAIN);
  const { result, units } = await touched(lab, () => stack.up());
  const { asked, failures } = await stop();
  expect(result.status).not.toBe(0);
  for (const sentence of says) expect(result.text).toMatch(sentence);
  expect(units).toEqual({});
  expect(failures).toEqual([]);
  expect(asked).toBeGreaterThan(20);
});

test("an image that never gets healthy goes back, and the database that it migrated goes back with it (H2)", async () => {
  await lab.sh("curl -sf -X POST 'http://127.0.0.1:9000/notes?text=before-the-upgrade'");
  const stack = new Stack(lab);
  Object.assign(stack.settings.authentik, { version: "2026.8.5", deadline: 15 });
  const result = await stack.up();
  expect(result.status).not.toBe(0);
  expect(result.text).toMatch(/probe authentik is ready: .* answers 503 instead of 2xx/);
  expect(result.text).toMatch(/rolled back to generation \d+, which is healthy/);
  expect(result.text).toContain("restore database authentik");
  const page = JSON.parse((await ask(lab.address, DOMAIN)).body);
  expect(page.version).toBe("2026.8.3");
  expect(page.postgresql.history).not.toContain("2026.8.5");
  expect((await ask(lab.address, DOMAIN, "/notes")).body).toContain("before-the-upgrade");
  const failed = await lab.sh(
    "su postgres -c 'psql -XAtd authentik_failed_upgrade -c \"select version from authentik_version_history\"'",
  );
  expect(failed, "what the failed upgrade made is kept as well").toContain("2026.8.5");
});

test("a container that Podman cannot start is not waited for until the deadline, and what it says is told", async () => {
  const stack = new Stack(lab);
  Object.assign(stack.settings.authentik, { container: { Volume: "/nowhere:/nowhere" }, deadline: 900 });
  const began = Date.now();
  const result = await stack.up();
  expect(result.status).not.toBe(0);
  expect(result.text).toMatch(/authentik-(server|worker)\.service has ended 5 times in the same way: exit status 125/);
  expect(result.text).toMatch(/the last lines of authentik-(server|worker)\.service:[\s\S]*\/nowhere: no such file/);
  expect(result.text).toMatch(/rolled back to generation \d+, which is healthy/);
  expect(Date.now() - began).toBeLessThan(200_000);
});

test("with the plug pulled while a new image migrates, image and database go back together (H2, H16)", async () => {
  await lab.sh("curl -sf -X POST 'http://127.0.0.1:9000/notes?text=before-the-cut'");
  const stack = new Stack(lab);
  Object.assign(stack.settings.authentik, { version: "2026.8.5", deadline: 60 });
  const up = stack.begin();
  const history = "su postgres -c 'psql -XAtd authentik -c \"select version from authentik_version_history\"'";
  await lab.awaits(`${history} 2>&1 | grep -q 2026.8.5`);
  await lab.reboot({ hard: true });
  await up.kill();
  await stack.must(["cancel", "--yes"]);
  await lab.sh(
    "for i in $(seq 600); do if gatehouse status >/dev/null; then exit; fi; sleep 0.2; done; gatehouse status",
  );
  expect(await lab.sh("journalctl --boot --output=cat --unit=gatehouse-recovered")).toContain(
    "restore database authentik",
  );
  const page = JSON.parse((await ask(lab.address, DOMAIN)).body);
  expect(page.version).toBe("2026.8.3");
  expect(page.postgresql.history).not.toContain("2026.8.5");
  expect((await ask(lab.address, DOMAIN, "/notes")).body).toContain("before-the-cut");
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
