import { exitOf, readFailure } from "../../protocol/failure.ts";
import { documentUrl } from "../connection/documents.ts";
import { ABANDONED } from "../connection/ssh.ts";
import { plain } from "../render/plain.ts";

/**
 * Explains the failed commands of one host. Only the first removal without an answer of the agent is explained, since
 * the connection is the same for all.
 */
export function explainer(): (error: string, operation: string) => string | undefined {
  let answered = true;
  return (error, operation) => {
    if (readFailure(error) || operation !== "delete" || !answered) return explain(error);
    answered = false;
    return unanswered();
  };
}

const unanswered = () => `the agent on the host did not answer a removal, for the reason below
Pulumi removes over the connection of the last \`pulumi up\`. If the key, address, user or proxy has changed since: ${documentUrl("docs/operations.md#another-ssh-key-address-user-or-proxy")}
${ABANDONED}: ${documentUrl("docs/operations.md#a-host-that-no-longer-exists")}`;

/**
 * Explains why the host did not apply an item: the part that failed, the state of the host now, the remedy, and the
 * document that says more. Undefined if the agent reported no failure, for example because the host did not answer.
 *
 * @param error a command's error, with all output of the agent.
 */
export function explain(error: string): string | undefined {
  const failure = readFailure(error);
  if (!failure) return undefined;
  const { verb, item, code, meaning, at } = failure;
  const { host, remedy } = exitOf(failure);
  const where = at ? ` at ${at.kind} "${at.name}"` : "";
  if (verb === "remove")
    return plain(`${item.kind} ${item.name} could not be removed: the removal failed${where} (exit status ${code})
Correct the cause that the output below names. The next \`pulumi up\` or \`pulumi destroy\` continues the removal.`);
  return plain(`${item.kind} ${item.name} failed${where}: ${meaning} (exit status ${code})
The host now: ${host}.
${remedy}
More: ${documentUrl("docs/manifest.md#exit-codes")}`);
}
