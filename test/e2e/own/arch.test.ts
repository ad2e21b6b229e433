// The platform on an imitation of Arch Linux: Debian's binaries with Arch's package manager, names, units and paths
// (test/lab/arch). Arch's own binaries are not tested. With LAB_PLATFORM=arch, the files of test/e2e run on it too.
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { ask } from "../support/client.ts";
import { Lab } from "../support/lab.ts";
import { POSTGRES } from "../support/platform.ts";
import { type Outcome, Stack } from "../support/stack.ts";
import { touched, UNITS } from "../support/touched.ts";

vi.hoisted(() => {
  process.env.LAB_PLATFORM = "arch";
});

const DATA = "/var/lib/postgres/data";
let lab: Lab;
let stack: Stack;
let first: Outcome;

const sql = (query: string) => lab.sh(`su postgres -c "psql -XAtc \\"${query}\\""`);

beforeAll(async () => {
  lab = await Lab.create("arch", "2026.8.3");
  stack = await Stack.create(lab);
  // An earlier attempt to create a cluster was interrupted by a power failure.
  await lab.sh(`pacman -S --needed --noconfirm postgresql
    su postgres -c 'initdb --pgdata=${DATA}.new & until [ -e ${DATA}.new/PG_VERSION ]; do :; done; kill -KILL $!'
    : >/var/log/pacman.log`);
  first = await stack.up();
});

afterAll(async () => {
  await lab?.destroy();
  stack?.remove();
});

test("the first `up` deploys the platform, and a second one does nothing", async () => {
  expect(first.text).not.toContain("error:");
  expect(first.status).toBe(0);
  const { result, units } = await touched(lab, () => stack.up());
  expect(result.status).toBe(0);
  expect(Object.keys(result.counts), result.text).toEqual(["unchanged"]);
  expect(units).toEqual({});
  expect((await ask(lab.address, "auth.lab.internal")).status).toBe(200);
});

test("a configuration for Debian is refused with the actual distribution, and nothing changes", async () => {
  const { platform } = stack.settings.host;
  stack.settings.host.platform = "debian";
  const { result, units } = await touched(lab, () => stack.up());
  stack.settings.host.platform = platform;
  expect(result.status).not.toBe(0);
  expect(result.text).toContain("this is arch rolling, but host.platform says debian 13");
  expect(units).toEqual({});
});

test("it runs Arch's units, from packages that pacman installed with the host's existing package lists", async () => {
  expect(await lab.sh(`systemctl is-active ${UNITS.join(" ")} | sort -u`)).toBe("active");
  expect(UNITS.slice(0, 2)).toEqual(["postgresql.service", "valkey.service"]);
  const asked = await lab.sh("sed -n \"s/.*Running '\\(.*\\)'/\\1/p\" /var/log/pacman.log");
  expect(new Set(asked.split("\n").map((line) => line.replace(/ -- .*/, "")))).toEqual(
    new Set(["pacman -S --needed --noconfirm"]),
  );
});

test("the cluster has checksums and is UTF8, although an earlier initdb was killed", async () => {
  expect(await sql("show data_checksums")).toBe("on");
  expect(await sql("select pg_encoding_to_char(encoding) from pg_database where datname = 'authentik'")).toBe("UTF8");
  expect((await lab.try(`ls ${DATA}.new`)).status).not.toBe(0);
  expect(await sql("show config_file")).toBe("/etc/postgresql/postgresql.conf");
});

test("a package that is no longer in the repository is reported with the upgrade that the operator has to run", async () => {
  const ask = `printf 'manager = "pacman"\\nnames = ["passt"]\\nunits = []\\n' >/tmp/body
    (cat /tmp/body; echo "# gatehouse: $(wc -c </tmp/body) bytes") | gatehouse packages passt --due x/0`;
  await lab.sh("mkdir /root/aside && mv /var/lib/lab-mirror/arch/passt-* /root/aside");
  const refused = await lab.try(ask);
  expect(refused.status).toBe(1);
  expect(refused.text).toMatch(/passt cannot be installed:\n.*failed retrieving file 'passt-/s);
  expect(refused.text).toContain("Upgrade the host as a whole, with `pacman -Syu`");
  await lab.sh("mv /root/aside/* /var/lib/lab-mirror/arch");
  const answer = (await lab.sh(ask)).split("\n").at(-1) ?? "";
  expect(JSON.parse(answer)).toMatchObject({ manager: "pacman", versions: { passt: expect.any(String) } });
});

test("if the data are of another major version than the installed server, nothing is stopped, and both versions are reported", async () => {
  const major = await lab.sh(`cat ${DATA}/PG_VERSION`);
  await lab.sh(`echo ${Number(major) - 1} >${DATA}/PG_VERSION`);
  stack.settings.postgres = { settings: { max_connections: 120 } };
  const { result, units } = await touched(lab, () => stack.up());
  expect(result.status).not.toBe(0);
  expect(result.text).toContain(
    `were created by PostgreSQL ${Number(major) - 1}, which the installed PostgreSQL ${major} cannot read`,
  );
  expect(units).toEqual({});
  await lab.sh(`echo ${major} >${DATA}/PG_VERSION`);
  const again = await touched(lab, () => stack.up());
  expect([again.result.status, again.units]).toEqual([0, { [POSTGRES]: "restarted" }]);
  expect(await sql("show max_connections")).toBe("120");
});

test("after a reboot everything runs as before", async () => {
  await lab.reboot();
  await expect
    .poll(() => lab.try(`systemctl is-active ${UNITS.join(" ")}`), { timeout: 90_000, interval: 1000 })
    .toMatchObject({ status: 0 });
  expect((await ask(lab.address, "auth.lab.internal")).status).toBe(200);
  expect(await lab.stat("/var/lib/valkey")).toBe("700 valkey:valkey");
  expect(Object.keys((await stack.up("--expect-no-changes")).counts)).toEqual(["unchanged"]);
});

test("the sockets belong to the clients' groups", async () => {
  expect(await lab.stat("/run/postgresql")).toBe("3770 postgres:postgres-clients");
  expect(await lab.stat("/run/postgresql/.s.PGSQL.5432")).toBe("770 postgres:postgres-clients");
  expect(await lab.stat("/run/valkey")).toBe("3770 valkey:valkey-clients");
  expect(await lab.stat("/run/valkey/valkey.sock")).toBe("770 valkey:valkey-clients");
});
