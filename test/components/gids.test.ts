import { describe, expect, test, vi } from "vitest";
import { evaluated, type Run, record, runProgram, SMALL } from "./program.ts";
import { rejectionsOf } from "./rejections.ts";

const OLD = {
  ...SMALL,
  authentik: { ...SMALL.authentik, version: "2025.8.4" },
  valkey: { databases: { authentik: 1 } },
};

/** The `--group-add` of each file in authentik's manifest. */
function groups(run: Run): Record<string, string[]> {
  const manifest = String(run.named("release-authentik").inputs.stdin);
  const files = manifest.split("[[file]]").slice(1);
  return Object.fromEntries(
    files.map((text) => [
      /path = "([^"]+)"/.exec(text)?.[1]?.split("/").at(-1),
      [...text.matchAll(/--group-add=(\S+)/g)].map(([, gid]) => gid as string),
    ]),
  );
}

describe("the GIDs that the host answers (M1, M6)", () => {
  test("are on both containers, and not on the pod or in the environment", async () => {
    expect(groups(await runProgram({ config: SMALL }))).toEqual({
      "authentik.env": [],
      "authentik.network": [],
      "authentik-proxies": [],
      "authentik-startup": [],
      "authentik.pod": [],
      "authentik-server.container": ["987", "986"],
      "authentik-worker.container": ["987", "986"],
    });
  });

  test("are used as the host answers them: the source contains no number", async () => {
    const answers = { "group-postgres-clients": { gid: 4321 }, "group-valkey-clients": { gid: 1234 } };
    const run = await runProgram({ config: SMALL, answers });
    expect(groups(run)["authentik-server.container"]).toEqual(["4321", "1234"]);
    expect(groups(run)["authentik-worker.container"]).toEqual(["4321", "1234"]);
    expect(run.named("release-authentik").inputs.stdin).not.toMatch(/98[67]/);
  });

  test("are only PostgreSQL's if authentik does not use Valkey, and nothing of Valkey is awaited", async () => {
    const run = await runProgram({ config: { ...SMALL, authentik: { ...SMALL.authentik, valkey: false } } });
    expect(groups(run)["authentik-server.container"]).toEqual(["987"]);
    expect(run.named("release-authentik").dependsOn.join()).not.toContain("valkey");
    expect(run.named("account-authentik").inputs.stdin).toContain('groups = ["postgres-clients"]');
    expect(run.named("release-authentik").inputs.stdin).not.toMatch(/valkey/i);
  });

  test("of the account are its own, and the processes run with its UID", async () => {
    const answers = { "account-authentik": { uid: 700, gid: 701 } };
    const { inputs } = (await runProgram({ config: SMALL, answers })).named("release-authentik");
    expect(inputs.stdin).toContain("\nUser=700\nGroup=701\n");
  });
});

describe("an invalid GID", () => {
  test.each([
    ["postgres-clients", { gid: 0 }, "0"],
    ["valkey-clients", { gid: 4294967295 }, "4294967295"],
    ["postgres-clients", {}, "nothing"],
    ["valkey-clients", { gid: "995" }, '"995"'],
  ])("of %s, answered as %j, stops the deployment before authentik is changed (M7)", async (name, answer, got) => {
    let run: Run | undefined;
    const reported = await rejectionsOf(async () => {
      run = await record({ config: SMALL, answers: { [`group-${name}`]: answer } }, async () => {
        vi.stubEnv("GATEHOUSE_DRIFT", "off");
        await evaluated();
      });
    });
    const message = `authentik needs the GID of group ${name}, a whole number from 1 to 65533, got ${got}. Check it on the host with \`getent group ${name}\`; docs/architecture.md#how-a-gid-gets-into-a-quadlet explains where it comes from.`;
    expect(reported.filter((line) => line.endsWith(message))).not.toEqual([]);
    expect(reported.filter((line) => !line.endsWith(message))).toEqual([]);
    expect(run?.resources.map((resource) => resource.name)).not.toContain("release-authentik");
    expect(run?.resources.map((resource) => resource.name)).toContain("release-postgres");
  });

  test("and the smallest and largest valid one are accepted", async () => {
    const answers = { "group-postgres-clients": { gid: 1 }, "group-valkey-clients": { gid: 65533 } };
    expect(groups(await runProgram({ config: SMALL, answers }))["authentik-server.container"]).toEqual(["1", "65533"]);
  });
});

test("an authentik that needs Valkey gets its login there, and keeps the generation of the password", async () => {
  const { inputs } = (await runProgram({ config: OLD })).named("release-authentik");
  expect(inputs.stdin).toContain("AUTHENTIK_CACHE__URL=file:///run/secrets/authentik/valkey_url");
  expect(inputs.stdin).toContain('"/var/lib/gatehouse/secrets/valkey-authentik/3"');
});
