import { defineConfig } from "vitest/config";
import { BaseSequencer, type TestSpecification } from "vitest/node";

const MINUTES = 60_000;
const ONE_BY_ONE = {
  fileParallelism: false,
  sequence: { concurrent: false },
  testTimeout: 20 * MINUTES,
  hookTimeout: 20 * MINUTES,
};

/** Where no run before has told how long each file takes, Vitest begins with the largest: this one's tests are the documents. */
class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const isLong = ({ moduleId }: TestSpecification) => Number(moduleId.endsWith("/own/documents.test.ts"));
    return (await super.sort(files)).sort((a, b) => isLong(b) - isLong(a));
  }
}

export default defineConfig({
  test: {
    sequence: { sequencer: LongestFirst },
    projects: [
      {
        // Everything that needs neither a host nor an engine: seconds, run at every change.
        test: {
          name: "check",
          include: ["test/{unit,render,components,policy,workflows,plan}/**/*.test.ts"],
          testTimeout: 20_000,
          restoreMocks: true,
          isolate: false,
          maxWorkers: "100%",
        },
      },
      {
        // The engine under test/engine/with, with a small program.
        test: { name: "engine", include: ["test/engine*.test.ts", "test/engine/**/*.test.ts"], testTimeout: MINUTES },
      },
      {
        // The whole program against a host of test/lab: one host, so one thing at a time, and a red test ends nothing.
        test: { name: "e2e", include: ["test/e2e/*.test.ts"], globalSetup: "test/e2e/support/setup.ts", ...ONE_BY_ONE },
      },
      {
        // Those that need a host in another state make one each, two files at a time. test/run has them run beside the ones
        // above.
        test: { name: "own", include: ["test/e2e/own/*.test.ts"], ...ONE_BY_ONE, fileParallelism: true, maxWorkers: 2 },
      },
      {
        // What an attacker tries, on a host that they share: the platform, with applications of which one is hostile.
        test: {
          name: "attack",
          include: ["test/attack/*.test.ts"],
          globalSetup: "test/attack/support/setup.ts",
          ...ONE_BY_ONE,
        },
      },
    ],
    bail: 0,
  },
});
