import * as pulumi from "@pulumi/pulumi";

/**
 * Whether to inspect the host before any resource is declared. `GATEHOUSE_DRIFT` in the environment overrides the
 * stack's configuration: `off` skips the inspection, for example in a pull request without access to the host;
 * `required` fails if the host cannot be inspected, for example in a drift check.
 *
 * @throws pulumi.RunError for any other value.
 * @example
 * const mode = inspectionMode(new pulumi.Config().getBoolean("drift") ?? true);
 * const debian = { platform: platforms.debian };
 * const facts = mode === "off" ? undefined : await inspect(connection, debian, mode);
 * new Host("host", { connection, ...debian, facts });
 */
export function inspectionMode(configured: boolean, word = process.env.GATEHOUSE_DRIFT): "off" | "on" | "required" {
  if (!word) return configured ? "on" : "off";
  if (word === "off" || word === "required") return word;
  throw new pulumi.RunError(
    `GATEHOUSE_DRIFT is ${JSON.stringify(word)}; allowed values are off (do not inspect the host) and required (fail if the host cannot be inspected)`,
  );
}
