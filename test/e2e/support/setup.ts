// One host with the whole platform, deployed once and shared by tests that only inspect it, or that revert their
// changes. Tests that need a host in another state create their own and give the reason.
import type { TestProject } from "vitest/node";
import { Lab } from "./lab.ts";
import { Stack } from "./stack.ts";

declare module "vitest" {
  export interface ProvidedContext {
    /** The name of the shared host. */
    host: string;
    /** The result of the first `pulumi up`. */
    firstUp: { status: number; text: string; counts: Record<string, number> };
  }
}

export default async function setup(project: TestProject) {
  const lab = await Lab.create("shared", "2026.8.3", "2026.8.4", "2026.8.5:unhealthy");
  const stack = await Stack.create(lab);
  console.log(`deploying the platform to ${lab.name} (${lab.address}) for the first time, about half a minute`);
  const firstUp = await stack.up();
  // No test is meaningful after a failed deployment.
  if (firstUp.status !== 0) {
    await lab.destroy();
    throw new Error(firstUp.text);
  }
  project.provide("host", lab.name);
  project.provide("firstUp", firstUp);
  return async () => {
    await lab.destroy();
    stack.remove();
  };
}
