// An attacker that controls a service account replaces paths that root is about to open: with a symlink, or with a
// program that keeps exchanging a folder and a symlink. A folder of root, the canary, must remain unchanged.
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { APPS, PLATFORM } from "./support/apps.ts";
import { Attacked } from "./support/host.ts";
import { Racer } from "./support/racer.ts";

const CANARY = "/root/canary";
const CONFIG = "/etc/postgresql/17/main";
let host: Attacked;
let before: string;

/** Everything about the canary that could change: names, modes, owners, modification times and contents. */
const canary = () =>
  host.lab.sh(`find ${CANARY} -printf '%p %y %m %u:%g %T@ %C@\n' | sort; cat ${CANARY}/secret; ls -A ${CANARY}`);

beforeAll(async () => {
  host = await Attacked.host();
  await host.lab.sh(`mkdir -m 755 ${CANARY} && chmod 711 /root && echo 'a secret of root' >${CANARY}/secret`);
  before = await canary();
});
afterAll(async () => {
  await host.lab.sh(`rm -rf ${CANARY}; chmod 700 /root`);
});

async function settles(): Promise<void> {
  for (const stack of [host.stack, host.apps]) {
    const { status, text } = await stack.up();
    expect(status, text).toBe(0);
  }
  expect((await host.lab.try("gatehouse verify")).text).toMatch(/^in sync/);
}

describe("a name above a path that root uses", () => {
  test.each([
    ["postgres", `${CONFIG}/hba.d`],
    ["postgres", CONFIG],
    ["postgres", "/etc/postgresql/17"],
    ["valkey", "/etc/valkey/users.acl"],
    ["authentik", "/var/lib/authentik/certs"],
    ["authentik", "/var/lib/authentik/data"],
    ["authentik", "/var/lib/authentik/data/media"],
    ["evil", "/var/lib/apps/evil/files"],
    ["evil-valkey", "/var/lib/apps/evil-valkey"],
    ["caddy", "/etc/caddy/sites"],
  ])("%s cannot replace %s", async (account, path) => {
    const { status, text } = await host.as(account, `mv ${path} ${path}.away`);
    expect(status).not.toBe(0);
    // Sticky folders give the second message.
    expect(text).toMatch(/Permission denied|Operation not permitted/);
  });

  test.each([
    ["authentik", "/var/lib/authentik/certs/mine"],
    ["authentik", "/var/lib/authentik/data/mine"],
    ["authentik", "/var/lib/authentik/data/media/mine"],
    ["evil", "/var/lib/apps/evil/files/mine"],
  ])("%s still writes %s", async (account, path) => {
    expect(await host.as(account, `touch ${path} && rm ${path}`)).toEqual({ status: 0, text: "" });
  });

  test("PostgreSQL still reads its configuration", async () => {
    expect(await host.operator("SELECT count(*) FROM pg_hba_file_rules WHERE error IS NOT NULL")).toBe("0");
  });
});

describe("an existing symlink, as on a host whose folders belong to the accounts", () => {
  const LINKS: [account: string, folder: string, name: string][] = [
    ["authentik", "/var/lib/authentik", "certs"],
    ["authentik", "/var/lib/authentik/data", "media"],
    ["postgres", CONFIG, "hba.d"],
    ["postgres", "/etc/postgresql", "17"],
  ];

  test.each(LINKS)(
    "%s owned %s, and %s was a symlink: nothing behind it changes its owner",
    async (account, folder, name) => {
      await host.lab.sh(
        `chown ${account}:${account} ${folder} && mv ${folder}/${name} /root/away && su -s /bin/sh ${account} -c 'ln -s ${CANARY} ${folder}/${name}'`,
      );
      try {
        const { status, text } = await host.stack.up();
        expect(status, text).not.toBe(0);
        expect(text).toMatch(/is a link in a folder that an account other than root can write|is a link/);
        expect(await canary()).toBe(before);
      } finally {
        await host.lab.sh(`rm ${folder}/${name} && mv /root/away ${folder}/${name}`);
      }
    },
  );

  test("without the symlinks, the next `up` succeeds and the folders belong to root", async () => {
    await settles();
    for (const [, folder] of LINKS) expect(await host.lab.stat(folder), folder).toMatch(/ root:/);
  });
});

describe("a fast program that exchanges folders and symlinks while root is working", () => {
  test("a changed setting of PostgreSQL is checked in a scratch folder and applied", async () => {
    await host.lab.sh(`chown -R postgres:postgres ${CONFIG}`);
    const racer = await Racer.start(host.lab, "postgres", CONFIG, CANARY, ["conf.d", "hba.d"]);
    try {
      host.stack.settings.postgres = { ...PLATFORM.postgres, settings: { work_mem: "5MB" } };
      await host.stack.up();
      expect(await canary()).toBe(before);
    } finally {
      expect(await racer.stop()).toBeGreaterThan(1000);
    }
    await settles();
    expect(await host.operator("SHOW work_mem")).toBe("5MB");
  });

  test.each([
    ["a backup", "gatehouse backup"],
    ["a drill", "gatehouse drill"],
    ["verify", "gatehouse verify"],
    ["a restore", "gatehouse restore --to latest; gatehouse restore --undo"],
  ])("%s", async (_, command) => {
    await host.lab.awaits("systemctl is-active gatehouse-backup.service | grep -qx inactive");
    const racers = [
      await Racer.start(host.lab, "postgres", "/var/lib/postgresql/17", CANARY, []),
      await Racer.start(host.lab, "authentik", "/var/lib/authentik/data", CANARY, []),
    ];
    try {
      await host.lab.try(`${command} >/root/log 2>&1`);
      expect(await canary()).toBe(before);
    } finally {
      for (const racer of racers) await racer.stop();
    }
    // Recovers from a failure that the attacker caused.
    await host.lab.try("gatehouse restore --undo; gatehouse recover");
    await host.lab.awaits("systemctl is-active gatehouse-backup.service | grep -qx inactive");
    const { status, text } = await host.lab.try(`(set -e; ${command}) 2>&1`);
    expect(status, text).toBe(0);
    expect(await canary()).toBe(before);
  });

  test("a purge is refused while its folder changes, and succeeds when it does not", async () => {
    const folder = "/var/lib/apps/plain/pub";
    await host.lab.sh(`install -d -o plain -g plain ${folder}/d && seq 2000 >${folder}/d/numbers`);
    const racer = await Racer.start(host.lab, "plain", folder, CANARY, ["d"]);
    const { plain, ...others } = structuredClone(APPS);
    host.apps.settings.apps = others;
    try {
      await host.apps.up();
      expect(await canary()).toBe(before);
    } finally {
      expect(await racer.stop()).toBeGreaterThan(1000);
    }
    const { status, text } = await host.apps.up();
    expect(status, text).toBe(0);
    expect(await canary()).toBe(before);
    expect(
      await host.lab.sh("ls /var/lib/apps; zcat -f /var/backups/gatehouse/app-plain/*/*/*.gz | tr -d '\\000'"),
    ).not.toMatch(/^plain$|a secret of root/m);
    host.apps.settings.apps = { plain, ...others };
    expect((await host.apps.up()).status).toBe(0);
  });
});
