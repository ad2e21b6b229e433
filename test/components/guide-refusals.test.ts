// The refusals described in docs/service-integration-guide.md, with the message below each example.
import * as pulumi from "@pulumi/pulumi";
import { expect, test } from "vitest";
import { App } from "../../components/app/app.ts";
import { debian } from "../../components/distribution/debian.ts";
import { usableGid } from "../../components/host/group.ts";
import { Host } from "../../components/host/host.ts";
import { blocksOf } from "../documents/blocks.ts";
import { HOST_KEY, record } from "./program.ts";
import { rejectionsOf } from "./rejections.ts";

const blocks = blocksOf("docs/service-integration-guide.md");
const refused = blocks.flatMap(({ words, text, line }, index) =>
  words.includes("refused") ? [{ line, example: text, reported: blocks[index + 1]?.text.trimEnd() }] : [],
);

/** The messages of a program that runs these lines, from a rejection or thrown directly. */
const reported = (example: string) =>
  rejectionsOf(() =>
    record({ config: {} }, () => {
      const host = new Host("host", { connection: { address: "192.0.2.10", hostKey: HOST_KEY }, platform: debian });
      return new Function("host", "App", "usableGid", "pulumi", example)(host, App, usableGid, pulumi);
    }),
  );

test("the guide has examples that are refused, each with its message", () => {
  expect(refused.length).toBeGreaterThan(3);
});

test.each(refused)("line $line: the message is the one in the guide", async ({ example, reported: expected }) => {
  expect(await reported(example)).toEqual([expected]);
});

test("the same with another name, image and schedule is accepted", async () => {
  const containers = { web: { image: "docker.io/library/wiki:1.4" } };
  expect(await reported(`new App("wiki", { host, containers: ${JSON.stringify(containers)} })`)).toEqual([]);
  expect(await reported('usableGid({ groupName: "postgres-clients", gid: pulumi.output(990) }, "wiki")')).toEqual([]);
});
