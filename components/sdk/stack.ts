import { LocalWorkspace, Stack } from "@pulumi/pulumi/automation/index.js";

/**
 * Opens a stack of the project in `workDir`, and leaves the operator's own selection as it is: the next `pulumi up` without
 * `--stack` is for the stack that it was for. The SDK's `Stack.select` would select this one.
 *
 * @param envVars what the program finds in its environment besides the operator's own.
 */
export async function open(
  stackName: string,
  workDir: string,
  envVars: Record<string, string>,
): Promise<{ project: string; stack: Stack }> {
  const workspace = await LocalWorkspace.create({ workDir, envVars });
  const { name: project } = await workspace.projectSettings();
  workspace.selectStack = async () => {};
  return { project, stack: await Stack.select(stackName, workspace) };
}
