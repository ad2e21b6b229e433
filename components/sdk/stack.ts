import { LocalWorkspace, Stack } from "@pulumi/pulumi/automation/index.js";

/**
 * Opens a stack of the project in `workDir`, and leaves the operator's own selection as it is: the next `pulumi up` without
 * `--stack` is for the stack that it was for. The SDK's `Stack.select` would select this one.
 */
export async function open(stackName: string, workDir: string): Promise<{ project: string; stack: Stack }> {
  const workspace = await LocalWorkspace.create({ workDir });
  const { name: project } = await workspace.projectSettings();
  workspace.selectStack = async () => {};
  return { project, stack: await Stack.select(stackName, workspace) };
}
