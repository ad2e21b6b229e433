import * as pulumi from "@pulumi/pulumi";

/**
 * Whether the program looks at the host before it declares anything. `GATEHOUSE_DRIFT` in the environment decides over
 * the stack's configuration: `off` does without, as a pull request does that has no way to the host; `required` fails
 * when the host cannot be looked at, as whoever asks for drift wants it. Without it the configuration decides.
 *
 * @throws pulumi.RunError for another word.
 */
export function looking(configured: boolean, word = process.env.GATEHOUSE_DRIFT): "off" | "on" | "required" {
  if (!word) return configured ? "on" : "off";
  if (word === "off" || word === "required") return word;
  throw new pulumi.RunError(
    `GATEHOUSE_DRIFT is ${JSON.stringify(word)}; allowed are off (do not look at the host) and required (fail when it cannot be looked at)`,
  );
}
