import { defineConfig } from "vitest/config";
import { BaseSequencer, type TestSpecification } from "vitest/node";

const MINUTES = 60_000;
const ONE_BY_ONE = {
  fileParallelism: false,
  sequence: { concurrent: false },
  testTimeout: 20 * MINUTES,
  hookTimeout: 20 * MINUTES,
};

/** The longest of those with a host of their own, by the time they take: neither the files' sizes nor a last run tell. */
const LONGEST = [
  "backup",
  "apps",
  "documents",
  "lifecycle",
  "crashes",
  "interruptions",
  "example",
  "migration",
  "arch",
];

class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const place = ({ moduleId }: TestSpecification) => {
      const index = LONGEST.findIndex((name) => moduleId.endsWith(`/own/${name}.test.ts`));
      return index < 0 ? LONGEST.length : index;
    };
    return (await super.sort(files)).sort((a, b) => place(a) - place(b));
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
        test: {
          name: "engine",
          include: ["test/engine*.test.ts", "test/engine/**/*.test.ts"],
          // `make test` has them run beside the labs.
          testTimeout: 5 * MINUTES,
          hookTimeout: 5 * MINUTES,
        },
      },
      {
        // The whole program against a host of test/lab: one host, so one thing at a time, and a red test ends nothing.
        test: { name: "e2e", include: ["test/e2e/*.test.ts"], globalSetup: "test/e2e/support/setup.ts", ...ONE_BY_ONE },
      },
      {
        // Those that need a host in another state make one each, two files at a time. test/run has them run beside the
        // ones above.
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
