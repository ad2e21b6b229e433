// A change that a check refuses changes nothing on the shared host. Each next update reverts the previous change too.
import { afterAll, beforeAll, expect, inject, test } from "vitest";
import { watch } from "./support/client.ts";
import { Lab } from "./support/lab.ts";
import { type Settings, Stack } from "./support/stack.ts";
import { touched } from "./support/touched.ts";

const DOMAIN = "auth.lab.internal";
let lab: Lab;

beforeAll(async () => {
  lab = await Lab.at(inject("host"));
});
afterAll(async () => {
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
    what: "a site at an address that the host does not have",
    make: (settings) =>
      Object.assign(settings.caddy, {
        sites: { extra: { domain: "extra.lab.internal", backend: "127.0.0.1:9000", directives: "bind 10.9.9.9" } },
      }),
    says: [
      /check the host has the addresses refuses the new files, nothing was changed/,
      /bind 10\.9\.9\.9: Cannot assign/,
    ],
  },
  {
    what: "a key that Quadlet does not support",
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

test.each(BAD)("$what is refused; no unit is affected and no request fails", async ({ make, says }) => {
  const stack = new Stack(lab);
  make(stack.settings);
  const stop = watch(lab.address, DOMAIN);
  const { result, units } = await touched(lab, () => stack.up());
  const { asked, failures } = await stop();
  expect(result.status).not.toBe(0);
  for (const sentence of says) expect(result.text).toMatch(sentence);
  expect(result.text).toMatch(/error: release [\w-]+ failed at check ".+": refused \(exit status 1\)/);
  expect(units).toEqual({});
  expect(failures).toEqual([]);
  expect(asked).toBeGreaterThan(20);
});
