// A value from the host in a rendered file, in a preview and in an update.
import * as pulumi from "@pulumi/pulumi";
import { expect, test } from "vitest";
import { known } from "../../components/sdk/known.ts";
import { legible } from "../../components/sdk/legible.ts";
import { placeholder } from "../../protocol/placeholder.ts";

class Group extends pulumi.CustomResource {
  declare readonly gid: pulumi.Output<number>;
  constructor() {
    super("test:index:Group", "group", { gid: undefined });
  }
}

/** The text in a file about a group, for the GID that the engine returns. */
async function read(gid: unknown, preview: boolean) {
  const newResource = () => ({ id: "group", state: { gid } });
  await pulumi.runtime.setMocks({ newResource, call: () => ({}) }, "gatehouse", "test", preview);
  return known(legible(new Group().gid, "gid of wiki"));
}

test.each([true, false])("a value that the host has answered is unchanged (in a preview: %s)", async (preview) => {
  expect(await read(987, preview)).toEqual({ value: 987 });
});

test("a value that it has not answered yet is a placeholder in a preview", async () => {
  expect(await read(pulumi.runtime.unknownValue, true)).toEqual({ value: placeholder("gid of wiki") });
});

test("in an update a value that stays unknown, because its resource failed, does not become text for the host", async () => {
  expect(await read(pulumi.runtime.unknownValue, false)).toBeUndefined();
});
