// Attacks that have failed from the beginning, and must keep failing. Each has a positive counterpart.
import { beforeAll, expect, test } from "vitest";
import { Attacked } from "./support/host.ts";

let host: Attacked;
beforeAll(async () => {
  host = await Attacked.host();
});

const select = (database: string, role: string) =>
  `import psycopg2; q = psycopg2.connect('host=/run/postgresql dbname=${database} user=${role}').cursor(); q.execute('select current_user'); print(q.fetchone()[0])`;

test("an application has its own role in its own database", async () => {
  expect(await host.inside("evil", select("evil", "evil"))).toBe("evil");
});

test.each([
  ["victim", "evil"],
  ["victim", "victim"],
  ["authentik", "authentik"],
  ["postgres", "postgres"],
  ["template1", "evil"],
])("it cannot connect to database %s as %s", async (database, role) => {
  const { status, text } = await host.tryInside("evil", select(database, role));
  expect(status).not.toBe(0);
  expect(text).toMatch(/no pg_hba.conf entry|[Pp]eer authentication failed/);
});

test.each([
  "SELECT pg_read_file('/etc/passwd')",
  "COPY (SELECT 1) TO PROGRAM 'id'",
  "CREATE TABLE stolen (line text); COPY stolen FROM '/etc/passwd'",
  "CREATE ROLE helper LOGIN",
  "CREATE DATABASE more",
  "ALTER SYSTEM SET work_mem = '1GB'",
  "SELECT rolpassword FROM pg_authid",
  "CREATE EVENT TRIGGER caught ON ddl_command_start EXECUTE FUNCTION pg_sleep()",
])("its role may not: %s", async (statement) => {
  await expect(host.sql("evil", statement)).rejects.toThrow(/permission denied|must be superuser|[Pp]ermission/);
});

test("its container has no capabilities, and cannot gain any", async () => {
  const status = await host.inside("evil", "print(open('/proc/self/status').read())");
  expect(status).toMatch(/^CapEff:\s*0+$/m);
  expect(status).toMatch(/^NoNewPrivs:\s*1$/m);
});
