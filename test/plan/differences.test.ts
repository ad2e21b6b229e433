import { expect, test } from "vitest";
import { differencesOf, markdown, terminal } from "../../plan/cli/differences.ts";
import { FULL } from "./configurations.ts";
import { difference, drifted, factsOf, previewOfChange } from "./program.ts";

const deployed = () => previewOfChange({ from: FULL, to: FULL });

test("a host in sync", async () => {
  const found = differencesOf(await deployed());
  expect(found).toEqual({ schemaVersion: 2, project: "gatehouse", stack: "test", drifted: false, items: [] });
  expect(terminal(found)).toBe("test: the host is in sync");
  expect(markdown(found)).toBe("### test: the host is in sync\n");
});

test("each difference is listed with its item, and its diff below it", async () => {
  const content = "/etc/caddy/Caddyfile: the content was changed by hand";
  const drift = {
    "release-caddy": [
      difference("file", "/etc/caddy/Caddyfile", "content", content, { diff: "-one\n+`two`" }),
      difference("unit", "caddy.service", "inactive", "caddy.service is not active"),
    ],
    "group-valkey-clients": [
      difference("group", "valkey-clients", "missing", "group valkey-clients is missing; it had gid=986"),
    ],
  };
  const found = differencesOf(drifted(await deployed(), drift));
  expect(found.drifted).toBe(true);
  expect(terminal(found)).toBe(
    [
      "test: the host has drifted: 3 differences, reverted by `pulumi up`",
      "",
      "group valkey-clients",
      "  group valkey-clients is missing; it had gid=986",
      "",
      "release caddy",
      "  /etc/caddy/Caddyfile: the content was changed by hand",
      "    -one",
      "    +`two`",
      "  caddy.service is not active",
    ].join("\n"),
  );
  expect(markdown(found)).toContain(
    "**release caddy**\n\n- /etc/caddy/Caddyfile: the content was changed by hand\n\n```diff\n-one\n+`two`\n```",
  );
});

test("a change of the configuration that is not deployed yet is not drift", async () => {
  const preview = await previewOfChange({
    from: FULL,
    to: { ...FULL, caddy: { tls: "internal", email: "a@example.org" } },
  });
  expect(preview.touched).toBeGreaterThan(0);
  expect(differencesOf(preview).drifted).toBe(false);
});

test("a host that was reinstalled or restored has drifted", async () => {
  const preview = await deployed();
  const asked = (name: string, was: string, is: string, facts = factsOf(preview)) => ({
    ...preview,
    facts,
    steps: preview.steps.map((step) =>
      step.name === name && step.old && step.new
        ? {
            ...step,
            op: "update" as const,
            differs: ["create"],
            old: { ...step.old, create: `x --due ${was}` },
            new: { ...step.new, create: `x --due ${is}` },
          }
        : step,
    ),
  });
  const nothing = { ...factsOf(preview), items: {} };
  expect(differencesOf(asked("packages-caddy", "one/3", "two/0.1795534272", nothing)).items).toMatchObject([
    { item: "packages caddy", differences: [{ message: "not on the host, which was reinstalled" }] },
  ]);
  expect(differencesOf(asked("release-caddy", "one/3", "one/3.1795534272")).items).toMatchObject([
    {
      item: "release caddy",
      differences: [{ message: "the host has since received another manifest, or was restored from a snapshot" }],
    },
  ]);
  expect(differencesOf({ ...asked("release-caddy", "one/3", "one/4"), facts: undefined }).items).toEqual([]);
});
