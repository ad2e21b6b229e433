import * as pulumi from "@pulumi/pulumi";
import protocol from "@pulumi/pulumi/proto/engine_pb.js";

/** The parts of the SDK that its public types lack. */
interface Private {
  getMonitor(): object | undefined;
  getEngine(): { log(request: object, done: () => void): void };
}
const { getMonitor, getEngine } = pulumi.runtime as unknown as Private;

/**
 * Logs an explanation of a failed command beside the command's own error. Never asks for another attempt. Without
 * effect in a preview, which runs no command, and if the engine has no such hooks, as the mocks of unit tests: the SDK
 * would call a method that they lack.
 *
 * @param name unique in the program.
 * @param explain gets the command's error and the operation, and returns undefined if it has nothing to add.
 */
export function onError(
  name: string,
  explain: (error: string, operation: "create" | "update" | "delete") => string | undefined,
): pulumi.ResourceHookBinding {
  const monitor = getMonitor();
  if (pulumi.runtime.isDryRun() || !monitor || !("registerErrorHook" in monitor)) return {};
  const hook = new pulumi.ErrorHook(name, async ({ urn, failedOperation, errors: [newest = ""] }) => {
    const text = explain(newest, failedOperation as "create" | "update" | "delete");
    if (text !== undefined) await logError(urn, text);
    return false;
  });
  return { onError: [hook] };
}

/**
 * Not `pulumi.log.error`: it waits for the URN of its resource, which is known only after the creation that waits for
 * the hook, and for all earlier messages, which may be about resources that wait for the failed one.
 */
function logError(urn: string, text: string): Promise<void> {
  const request = new protocol.LogRequest();
  request.setSeverity(protocol.LogSeverity.ERROR);
  request.setMessage(text);
  request.setUrn(urn);
  return new Promise((resolve) => getEngine().log(request, () => resolve()));
}
