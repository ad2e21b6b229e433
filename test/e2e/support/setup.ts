// One host with the whole platform on it, deployed once and shared by the tests that only look at it or change it and
// change it back. Tests that need a host in another state make their own and say why.
import type { TestProject } from "vitest/node";
import { Lab } from "./lab.ts";
import { Stack } from "./stack.ts";

declare module "vitest" {
  export interface ProvidedContext {
    /** The shared host's name. */
    host: string;
    /** What the first `pulumi up` said. */
    firstUp: { status: number; text: string; counts: Record<string, number> };
  }
}

export default async function setup(project: TestProject) {
  const lab = await Lab.create("shared", "2026.8.3", "2026.8.4", "2026.8.5:unhealthy");
  const stack = await Stack.create(lab);
  console.log(`deploying the platform to ${lab.name} (${lab.address}) for the first time, about half a minute`);
  const firstUp = await stack.up();
  // Nothing after it could be judged.
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
