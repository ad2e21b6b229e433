// The SDK passes an error inside `apply` to the code that waits for the resource, and to Node as an unhandled
// rejection, which ends the program. Here it is caught, so that tests can inspect it.

/** Runs a body; returns the messages of all rejections meanwhile, each once. */
export async function rejectionsOf(body: () => unknown): Promise<string[]> {
  const others = process.listeners("unhandledRejection");
  const messages = new Set<string>();
  const note = (error: unknown) => messages.add((error as Error).message);
  process.removeAllListeners("unhandledRejection");
  process.on("unhandledRejection", note);
  try {
    try {
      await body();
    } catch (error) {
      note(error);
    }
    // Node reports a rejection after the microtasks have finished.
    await new Promise((resolve) => setTimeout(resolve, 20));
  } finally {
    process.removeListener("unhandledRejection", note);
    for (const listener of others) process.on("unhandledRejection", listener);
  }
  return [...messages];
}
