// The SDK hands an error inside `apply` to whoever waits for the resource, and to Node as a rejection that nobody
// handles: that is how the program ends. Here it is caught, so that a test can look at it.

/** Runs a body; answers the messages of all that was rejected meanwhile, each once. */
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
    // Node tells of a rejection once the microtasks are done.
    await new Promise((resolve) => setTimeout(resolve, 20));
  } finally {
    process.removeListener("unhandledRejection", note);
    for (const listener of others) process.on("unhandledRejection", listener);
  }
  return [...messages];
}
