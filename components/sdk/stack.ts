import { LocalWorkspace, Stack } from "@pulumi/pulumi/automation/index.js";

/**
 * Opens a stack of the project in `workDir` without changing the operator's selected stack, which the next `pulumi up`
 * without `--stack` uses. The SDK's `Stack.select` would select this one.
 *
 * @param envVars additional environment variables for the program.
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
