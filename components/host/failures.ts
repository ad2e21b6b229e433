import * as pulumi from "@pulumi/pulumi";
import { exitOf, type Failure, readFailure } from "../../protocol/failure.ts";
import { documentUrl } from "../connection/documents.ts";
import { plain } from "../render/plain.ts";
import { errorHook } from "../sdk/error-hook.ts";

/**
 * Reports why the host did not apply an item: an error with the item, the part that failed, the state of the host now,
 * and the document that says what to do. The command's own error, with the output of the agent, follows it.
 *
 * `pulumi destroy` does not run the program, and shows the command's error alone.
 */
export class Failures {
  /** The option of a command. */
  readonly hooks: pulumi.ResourceHookBinding;
  readonly #commands = new Map<string, pulumi.Resource>();

  constructor(host: string) {
    // The name is unique among the hosts of a program.
    const hook = errorHook(`gatehouse-failure-${host}`, async ({ name, errors: [newest = ""] }) => {
      const failure = readFailure(newest);
      if (failure) await pulumi.log.error(sentence(failure), this.#commands.get(name));
      return false; // the agent itself has retried whatever may succeed the next time
    });
    this.hooks = hook ? { onError: [hook] } : {};
  }

  /** The command to show errors with. */
  add(name: string, command: pulumi.Resource): void {
    this.#commands.set(name, command);
  }
}

function sentence(failure: Failure): string {
  const { item, code, at } = failure;
  const { what, host, remedy } = exitOf(failure);
  return plain(`${item.kind} ${item.name}: ${what}${at ? `, at ${at.kind} "${at.name}"` : ""} (exit status ${code})
The host now: ${host}.
${remedy}
More: ${documentUrl("docs/manifest.md#exit-codes")}`);
}
