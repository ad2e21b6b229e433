import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { helperManifest, loginsManifest } from "../../components/registries/manifest.ts";

const LOGINS = {
  "ghcr.io": { username: "deploy", password: 'a "b" {{secrets x/y}}\n' },
  "localhost:5000": { username: "lab", password: "correct horse" },
};
const room = mkdtempSync(join(tmpdir(), "registries-test-"));
afterAll(() => rmSync(room, { recursive: true }));

const [folder, helper] = [join(room, "3"), join(room, "helper")];
const logins = loginsManifest("registries-secrets", LOGINS).files ?? [];
mkdirSync(folder);
for (const { path, content } of logins) writeFileSync(join(folder, path.split("/").at(-1) as string), content);
writeFileSync(helper, helperManifest(folder).files?.[0]?.content ?? "", { mode: 0o755 });
writeFileSync(join(room, "elsewhere"), "of somebody else's");

/** The helper's answer, when called as Podman does. */
const asked = (verb: string, input: string) => {
  const { status, stdout, stderr } = spawnSync(helper, [verb], { input, encoding: "utf8" });
  return { status, stdout: stdout.trim(), stderr };
};
const NOT_HERE = { status: 1, stdout: "credentials not found in native keychain", stderr: "" };

test("each login is readable only for root, and kept as long as the helper refers to its generation", () => {
  expect(logins.map(({ path, mode, owner }) => [path, mode, owner])).toEqual(
    Object.keys(LOGINS).map((registry) => [
      `/var/lib/gatehouse/secrets/registries-secrets/{generation}/${registry}`,
      "0400",
      "root:root",
    ]),
  );
  expect(helperManifest(folder).refers).toEqual([folder]);
});

test("the helper returns the login of a configured registry, whatever it contains", () => {
  for (const [registry, { username, password }] of Object.entries(LOGINS)) {
    const { status, stdout } = asked("get", registry);
    expect(status).toBe(0);
    expect(JSON.parse(stdout)).toEqual({ ServerURL: registry, Username: username, Secret: password.trim() });
  }
});

test("it returns nothing for any other, so that Podman continues with the files of `podman login`", () => {
  for (const registry of ["docker.io", "", "../elsewhere", "3/ghcr.io", "..", "ghcr.io/team", "*"])
    expect([registry, asked("get", registry)]).toEqual([registry, NOT_HERE]);
});

test("it neither stores a manual login nor refuses a logout", () => {
  expect(asked("store", '{"ServerURL":"ghcr.io","Username":"a","Secret":"b"}')).toEqual(NOT_HERE);
  expect(asked("erase", "ghcr.io")).toEqual({ status: 0, stdout: "", stderr: "" });
  expect(asked("list", "")).toEqual({ status: 0, stdout: "{}", stderr: "" });
});
