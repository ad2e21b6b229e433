import * as pulumi from "@pulumi/pulumi";
import { expect, test } from "vitest";
import { usableGid } from "../../components/host/group.ts";
import { rejectionsOf } from "../components/rejections.ts";

/** The GID that a consuming component receives. */
async function consumed(gid: unknown): Promise<unknown> {
  const group = { groupName: "postgres-clients", gid: pulumi.output(gid) as pulumi.Output<number> };
  return (usableGid(group, "authentik") as unknown as { promise(): Promise<unknown> }).promise();
}

test.each([1, 995, 65533])("GID %i is valid", async (gid) => {
  expect(await consumed(gid)).toBe(gid);
});

test.each([
  ["0, which is root's group", 0, "0"],
  ["a negative one", -1, "-1"],
  ["65534, which is nobody's", 65534, "65534"],
  ["65535, which is no change to a 16-bit kernel call", 65535, "65535"],
  ["4294967295, which is no change to the kernel", 4294967295, "4294967295"],
  ["not a number", Number.NaN, "NaN"],
  ["infinite", Number.POSITIVE_INFINITY, "Infinity"],
  ["nothing", undefined, "nothing"],
  ["null", null, "null"],
  ["a string", "995", '"995"'],
  ["not whole", 1.5, "1.5"],
])("a GID that is %s stops the deployment, with the group and the given value (M7)", async (_, gid, given) => {
  let refusal: unknown;
  const reported = await rejectionsOf(async () => {
    refusal = await consumed(gid).catch((error: unknown) => error);
  });
  expect(pulumi.RunError.isInstance(refusal)).toBe(true);
  const message =
    `authentik needs the GID of group postgres-clients, a whole number from 1 to 65533, got ${given}. ` +
    "Check it on the host with `getent group postgres-clients`; docs/architecture.md#how-a-gid-gets-into-a-quadlet explains where it comes from.";
  expect((refusal as Error).message).toBe(message);
  expect(reported).toEqual([message]);
});
