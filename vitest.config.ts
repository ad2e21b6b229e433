import { defineConfig } from "vitest/config";
import { BaseSequencer, type TestSpecification } from "vitest/node";

const MINUTES = 60_000;
const ONE_BY_ONE = {
  fileParallelism: false,
  sequence: { concurrent: false },
  testTimeout: 20 * MINUTES,
  hookTimeout: 20 * MINUTES,
};

/** Seconds that a file takes on two busy cores, where it is more than a minute. */
const SECONDS: Record<string, number> = {
  "own/backup": 1080,
  "own/apps": 870,
  "own/lifecycle": 670,
  "own/cluster": 420,
  "own/documents": 560,
  "own/crashes": 200,
  "own/interruptions": 190,
  "own/release": 130,
  "own/migration": 120,
  "own/example": 100,
  "own/server": 90,
  "own/arch": 80,
  "e2e/changes": 630,
  "e2e/failures": 500,
  "e2e/refused": 90,
  "e2e/plan": 220,
  "e2e/network": 210,
  "e2e/drift": 160,
  "attack/backup": 270,
  "attack/sql": 260,
  "attack/paths": 240,
  "attack/network": 170,
  "attack/front": 120,
  "attack/sockets": 100,
  "attack/text": 100,
  "engine/renames": 190,
  "engine/plan": 190,
  "engine/connection": 170,
  "engine/package": 90,
};

const seconds = ({ moduleId }: TestSpecification): number =>
  SECONDS[/(\w+\/[\w-]+)\.test\.ts$/.exec(moduleId)?.[1] ?? ""] ?? 30;

/** Starts the longest files with a host of their own first, and makes shards that take equally long. */
class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const own = (file: TestSpecification) => (file.moduleId.includes("/own/") ? seconds(file) : 0);
    return (await super.sort(files)).sort((a, b) => own(b) - own(a));
  }

  override async shard(files: TestSpecification[]): Promise<TestSpecification[]> {
    const { index, count } = this.ctx.config.shard ?? { index: 1, count: 1 };
    const shards = Array.from({ length: count }, () => ({ took: 0, files: [] as TestSpecification[] }));
    for (const file of files.toSorted((a, b) => seconds(b) - seconds(a))) {
      const [shortest] = shards.toSorted((a, b) => a.took - b.took);
      shortest?.files.push(file);
      if (shortest) shortest.took += seconds(file);
    }
    return shards[index - 1]?.files ?? [];
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
          include: ["test/{unit,render,components,policy,workflows,plan,import}/**/*.test.ts"],
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
        // Those that need a host in another state make one each, three files at a time. test/run has them run beside
        // the ones above.
        test: { name: "own", include: ["test/e2e/own/*.test.ts"], ...ONE_BY_ONE, fileParallelism: true, maxWorkers: 3 },
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
