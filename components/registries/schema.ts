import { z } from "zod";

// They are secret: no sentence shows what was given.
const text = (what: string, pattern: RegExp) => {
  const fault = { error: `expected ${what}` };
  return z.string(fault).regex(pattern, fault);
};

const host = text(
  "a registry as the name of an image begins, such as ghcr.io or registry.example.org:5000",
  /^[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*(:[1-9]\d{0,4})?$/,
);

/** How the host logs in to registries, by their names. All of it is secret. */
export const registriesSchema = z.record(
  host,
  z.strictObject(
    {
      username: text("a user without blanks and colons", /^[^\s:\p{Cc}]+$/u),
      password: text("one line, without blanks at its ends", /^[^\s\p{Cc}]([^\p{Cc}]*[^\s\p{Cc}])?\n?$/u),
    },
    { error: (issue) => (issue.code === "invalid_type" ? "expected username and password" : undefined) },
  ),
  {
    error: (issue) =>
      issue.code === "invalid_type" ? "expected registries, each with username and password" : undefined,
  },
);
export type Logins = z.output<typeof registriesSchema>;
