// One host for all attacks: the platform with backups, and a second stack with the attacking applications and the
// attacked one.
import type { TestProject } from "vitest/node";
import { IMAGE, Lab } from "../../e2e/support/lab.ts";
import { Stack } from "../../e2e/support/stack.ts";
import { APPS, PLATFORM, PROGRAM, PYTHON } from "./apps.ts";

declare module "vitest" {
  export interface ProvidedContext {
    /** The name of the attacked host. */
    attacked: string;
  }
}

export default async function setup(project: TestProject) {
  const lab = await Lab.stocked("attack", "2026.8.3");
  const stack = await Stack.create(lab, PLATFORM);
  const apps = new Stack(lab, {}, { program: PROGRAM, suffix: "-apps" });
  const end = async () => {
    await lab.destroy();
    for (const one of [stack, apps]) one.remove();
  };
  console.log(`deploying the platform and its attackers to ${lab.name} (${lab.address}), about a minute`);
  try {
    await succeeds(stack);
    // The stand-in's image contains Python, but has its own entry point.
    await lab.sh(
      `podman create -q --name base ${IMAGE}:2026.8.3 && podman commit -q --change 'ENTRYPOINT ["python3"]' base ${PYTHON} && podman rm base`,
    );
    const { platform } = await stack.outputs();
    await succeeds(await Stack.create(lab, { platform, apps: APPS }, { program: PROGRAM, suffix: "-apps" }));
  } catch (error) {
    await end();
    throw error;
  }
  project.provide("attacked", lab.name);
  return end;
}

async function succeeds(stack: Stack): Promise<void> {
  const { status, text } = await stack.up();
  if (status !== 0) throw new Error(text);
}
