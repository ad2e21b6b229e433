// Started by plugin.cjs, with the arguments of the engine.
import * as pulumi from "@pulumi/pulumi";
import { quiet } from "../sdk/quiet.ts";
import { provider } from "./provider.ts";

/** Of gRPC, if the engine has ended its side. */
const ENDED: readonly unknown[] = [1 /* cancelled */, 14 /* unavailable */];

/**
 * The engine ends an update when an item fails, while other items of the platform are still being declared. The SDK
 * reports each of their calls as an unhandled exception, with its stack, which hides the one error that matters.
 */
function ignoreEndedCalls(): void {
  for (const report of process.listeners("unhandledRejection")) {
    process.off("unhandledRejection", report);
    process.on("unhandledRejection", (error, promise) => {
      if (!ENDED.includes((error as { code?: unknown } | undefined)?.code)) report(error, promise);
    });
  }
}

quiet();
const served = pulumi.provider.main(provider, process.argv.slice(2));
ignoreEndedCalls();
await served;
