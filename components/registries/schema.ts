import { z } from "zod";

// The values are secret, so messages do not contain them.
const text = (what: string, pattern: RegExp) => {
  const fault = { error: `expected ${what}` };
  return z.string(fault).regex(pattern, fault);
};

const host = text(
  "a registry as at the beginning of an image name, such as ghcr.io or registry.example.org:5000",
  /^[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*(:[1-9]\d{0,4})?$/,
);

/** Logins to registries, by the registry's name. All of it is secret. */
export const registriesSchema = z.record(
  host,
  z.strictObject(
    {
      username: text("a user name without blanks and colons", /^[^\s:\p{Cc}]+$/u),
      password: text("one line without leading or trailing blanks", /^[^\s\p{Cc}]([^\p{Cc}]*[^\s\p{Cc}])?\n?$/u),
    },
    { error: (issue) => (issue.code === "invalid_type" ? "expected username and password" : undefined) },
  ),
  {
    error: (issue) =>
      issue.code === "invalid_type" ? "expected registries, each with username and password" : undefined,
  },
);
export type Logins = z.output<typeof registriesSchema>;
