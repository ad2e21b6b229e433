// Environment variables for authentik: those that an operator may set, and those that the platform sets.
import { z } from "zod";
import { envFile } from "../render/grammars.ts";
import { settingOf } from "../schema/scalars.ts";
import { FIRST } from "./administrator.ts";
import { knowsBaseUrl, usesValkey } from "./version.ts";

/** Set by the platform, unless the operator gives the key of an existing authentik as a secret. */
export const SECRET_KEY = "AUTHENTIK_SECRET_KEY";
/** The base path of authentik. */
export const WEB_PATH = "AUTHENTIK_WEB__PATH";

/** Variables that the platform sets for a version. Another value would contradict the files that depend on them. */
export const ownVariables = (version: string): string[] =>
  [
    ...["HOST", "PORT", "NAME", "USER", "SSLMODE"].map((key) => `POSTGRESQL__${key}`),
    "SECRET_KEY",
    ...(usesValkey(version) ? ["CACHE__URL", "CHANNEL__URL"] : []),
    ...(knowsBaseUrl(version) ? ["WEB__BASE_URL"] : []),
    ...["TRUSTED_PROXY_CIDRS", "HTTP", "HTTPS", "METRICS", "LISTEN_HTTP", "LISTEN_METRICS"].map(
      (key) => `LISTEN__${key}`,
    ),
  ].map((key) => `AUTHENTIK_${key}`);

/** Variables for the libraries that authentik uses: trusted authorities, proxies, time zone. */
const OF_LIBRARIES =
  /^(SSL_CERT_(FILE|DIR)|(REQUESTS|CURL)_CA_BUNDLE|TZ|((HTTPS?|ALL|NO)_PROXY|(https?|all|no)_proxy))$/;

/** A variable of authentik or of its libraries. */
export const variable = z
  .string()
  .refine(
    (name) => OF_LIBRARIES.test(name) || /^AUTHENTIK_[A-Z0-9]+(_[A-Z0-9]+)*(__[A-Z0-9]+(_[A-Z0-9]+)*)*$/.test(name),
    {
      error: ({ input }) =>
        `expected a variable such as AUTHENTIK_EMAIL__HOST, or one of SSL_CERT_FILE, SSL_CERT_DIR, REQUESTS_CA_BUNDLE, CURL_CA_BUNDLE, HTTP_PROXY, HTTPS_PROXY, ALL_PROXY, NO_PROXY and TZ, got ${JSON.stringify(input)}`,
    },
  );

/** Faults in variables for a version, by name. */
function* variableFaults(names: readonly string[], version: string): Generator<{ name: string; message: string }> {
  const own = ownVariables(version);
  for (const name of names) {
    if (own.includes(name)) yield { name, message: `${name} is set by the platform; remove it` };
    else if (own.some((other) => other.startsWith(`${name}__`)))
      yield { name, message: `${name} would replace a whole section of settings; set its keys, such as ${name}__KEY` };
    else if (own.some((other) => name.startsWith(`${other}__`)))
      yield { name, message: `${name} would replace a setting of the platform; remove it` };
  }
}

/** The same for secret variables, which authentik reads from files. */
export function* secretFaults(names: readonly string[], version: string): Generator<{ name: string; message: string }> {
  yield* variableFaults(
    names.filter((name) => name !== SECRET_KEY),
    version,
  );
  for (const name of names)
    if (OF_LIBRARIES.test(name) || name === WEB_PATH)
      yield { name, message: "cannot be read from a file; set it in authentik.environment" };
}

/** The same for variables that are not secret. */
export function* environmentFaults(environment: Readonly<Record<string, unknown>>, version: string) {
  yield* variableFaults(Object.keys(environment), version);
  for (const name of Object.keys(environment)) {
    if (name === "AUTHENTIK_BOOTSTRAP_EMAIL")
      yield { name, message: `${name} is set by authentik.admin.email; remove it` };
    if (FIRST.test(name))
      yield {
        name,
        message: `${name} is a secret: pulumi config set --secret --path gatehouse:authentikSecrets.${name}`,
      };
  }
  const path = environment[WEB_PATH];
  if (path !== undefined && !/^\/([\w.~-]+\/)*$/.test(String(path)))
    yield {
      name: WEB_PATH,
      message: `expected a path with a leading and a trailing slash such as /auth/, got ${JSON.stringify(path)}`,
    };
}

// Python parses each value as JSON, and Rust does not. Values that they would read differently are refused.
export const value = settingOf(envFile).refine(
  (given) => typeof given !== "string" || (given !== "" && given === given.trim() && !/^["'[{]/.test(given)),
  {
    error: ({ input }) =>
      `${JSON.stringify(input)} would be read differently by different parts of authentik: expected a value that is not empty, without leading quotes or brackets and without leading or trailing blanks`,
  },
);
