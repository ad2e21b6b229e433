// examples/app as its readers use it: its own program, through its own stack, deploys a real application beside the
// platform. The application uses PostgreSQL and Valkey, and keeps its data when its image changes. It is the first app
// on a separate host.
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { ask } from "../support/client.ts";
import { Lab, run } from "../support/lab.ts";
import { type Outcome, Stack } from "../support/stack.ts";
import { touched, UNITS } from "../support/touched.ts";

const EXAMPLE = fileURLToPath(new URL("../../../examples/app", import.meta.url));
const TSC = fileURLToPath(new URL("../../../node_modules/.bin/tsc", import.meta.url));
const DOMAIN = "matrix.lab.internal";
const PASSWORD = "the administrator's first password";
const TEXT = "written before the image changed";
const WATCHED = [...UNITS, "app-synapse-network.service", "app-synapse.service", "valkey-synapse.service"];
let lab: Lab;
let stack: Stack;
let synapse: Stack;
let first: { result: Outcome; units: Record<string, string> };
/** Passed between tests: an access token of the administrator, and the message sent with it. */
let token: string;
let message: string;

beforeAll(async () => {
  lab = await Lab.stocked("example", "2026.8.3");
  stack = await Stack.create(lab);
  const [{ status, text }] = await Promise.all([stack.up(), prepare()]);
  expect(status, text).toBe(0);
  const settings = {
    platform: `organization/gatehouse/${stack.name}`,
    domain: DOMAIN,
    image: "localhost:5000/synapse",
    version: "1.162.0",
    adminPassword: PASSWORD,
  };
  const place = { program: EXAMPLE, project: "synapse", suffix: "-synapse", beside: stack };
  synapse = await Stack.create(lab, settings, place);
  first = await touched(lab, () => synapse.up());
});
afterAll(async () => {
  await lab.destroy();
  for (const one of [synapse, stack]) one.remove();
});

/** Builds its image if it is missing, and prepares its node_modules. */
async function prepare(): Promise<void> {
  await must(`${EXAMPLE}/image/load`, [lab.name]);
  await must("npm", ["run", "--silent", "setup", "--prefix", EXAMPLE]);
}
async function must(program: string, args: string[]): Promise<void> {
  const { status, text } = await run(program, args);
  expect(status, text).toBe(0);
}

/** A request to Synapse's API through Caddy; returns the answer. */
async function api(method: string, path: string, wanted?: object) {
  const headers = token ? { authorization: `Bearer ${token}` } : {};
  const { status, body } = await ask(lab.address, DOMAIN, path, { method, headers, body: JSON.stringify(wanted) });
  expect(status, body).toBe(200);
  return JSON.parse(body);
}
const client = (method: string, path: string, wanted?: object) => api(method, `/_matrix/client/v3/${path}`, wanted);
const sql = (query: string) => lab.sh(`su postgres -c 'psql -XAt synapse' <<'SQL'\n${query}\nSQL`);
const version = async () => (await api("GET", "/_synapse/admin/v1/server_version")).server_version;

test("the program matches the types of the package", { timeout: 60_000 }, () => must(TSC, ["--project", EXAMPLE]));

test("it deploys from its own stack, beside a platform that stays available", async () => {
  expect(first.result.status, first.result.text).toBe(0);
  expect(first.units).toEqual({ "postgresql@17-main.service": "reloaded", "caddy.service": "reloaded" });
});

test("the configured administrator logs in over HTTPS, writes, and reads what was written", async () => {
  const identifier = { type: "m.id.user", user: "admin" };
  const session = await client("POST", "login", { type: "m.login.password", identifier, password: PASSWORD });
  expect(session.user_id).toBe(`@admin:${DOMAIN}`);
  token = session.access_token;
  expect(await version()).toBe("1.162.0");
  const { room_id } = await client("POST", "createRoom", { name: "Office" });
  const said = { msgtype: "m.text", body: TEXT };
  const { event_id } = await client("PUT", `rooms/${room_id}/send/m.room.message/1`, said);
  message = `rooms/${room_id}/event/${event_id}`;
  expect((await client("GET", message)).content).toEqual(said);
});

test("the written data is in PostgreSQL, and shared and cached data in its Valkey", async () => {
  expect(await sql(`SELECT count(*) FROM event_json WHERE json LIKE '%${TEXT}%'`)).toBe("1");
  expect(await sql("SELECT name, admin FROM users")).toBe(`@admin:${DOMAIN}|1`);
  expect(
    await sql("SELECT DISTINCT usename FROM pg_stat_activity WHERE datname = 'synapse' AND client_addr IS NULL"),
  ).toContain("synapse");
  const valkey = "valkey-cli -s /run/valkey-synapse/valkey.sock";
  expect(await lab.sh(`${valkey} --scan`)).toMatch(/^cache_v1:get_joined_hosts:\d+$/m);
  expect((await lab.sh(`${valkey} pubsub channels`)).split("\n")).toContain(DOMAIN);
});

test("its processes have the GIDs of the two sockets, and no secrets in the environment or in argv", async () => {
  const homeserver = JSON.parse(
    await lab.sh("podman exec app-synapse python3 -c 'print(open(\"/run/secrets/homeserver.yaml\").read())'"),
  );
  const secrets = [
    homeserver.registration_shared_secret,
    homeserver.macaroon_secret_key,
    homeserver.form_secret,
    PASSWORD,
  ];
  expect(new Set(secrets.filter((secret) => secret?.length > 20)).size).toBe(4);
  const gids = await Promise.all(["synapse", "postgres-clients", "synapse-valkey"].map((group) => lab.gid(group)));
  const pids = (await lab.sh("pgrep -u synapse")).split("\n");
  // Podman's init and Synapse.
  expect(pids).toHaveLength(2);
  for (const pid of pids) {
    const groups = await lab.sh(`sed -n 's/^Groups:[[:space:]]*//p' /proc/${pid}/status`);
    expect(groups.split(" ").map(Number).sort()).toEqual(gids.sort());
    const shown = await lab.sh(`cat /proc/${pid}/environ /proc/${pid}/cmdline | tr '\\0' '\\n'`);
    for (const secret of secrets) expect(shown).not.toContain(secret);
  }
});

test("a second `up` changes nothing", async () => {
  expect(Object.keys((await synapse.up("--expect-no-changes")).counts)).toEqual(["unchanged"]);
});

test("another image restarts only the app, which migrates and keeps all its data", async () => {
  synapse.settings.version = "1.163.2";
  const { result, units } = await touched(lab, () => synapse.up(), WATCHED);
  expect(result.status, result.text).toBe(0);
  expect(units).toEqual({ "app-synapse.service": "restarted" });
  expect(await version()).toBe("1.163.2");
  expect(await sql("SELECT count(*) FROM applied_schema_deltas WHERE file LIKE '94/11_destination_room%'")).toBe("1");
  expect((await client("GET", message)).content.body).toBe(TEXT);
});
