// The policy pack: `pulumi preview --policy-pack policy`. In JavaScript, because Pulumi's runner compiles a TypeScript
// entry point with its own outdated compiler. Node loads the imported .ts files directly.
import { createRequire } from "node:module";
import { agentOnly, hostKeys, imageDigests, loopbackOnly, plainSecrets } from "./rules.ts";

const require = createRequire(import.meta.url);
const { PolicyPack, UnknownValueError } = require("@pulumi/policy");
const pulumi = require("@pulumi/pulumi");

/**
 * The keys that the program reads as secrets; it reads all others as plain text. Policy packs cannot see which keys are
 * encrypted.
 */
const SECRET_KEYS = ["sshKey", "authentikSecrets", "registries", "appSecrets", "backupKey", "backupPassphrase"].map(
  (key) => `gatehouse:${key}`,
);

const settings = configuration();

new PolicyPack("gatehouse", {
  enforcementLevel: "mandatory",
  policies: [
    policy("agent-only", "Only gatehouse's agent runs commands on a host.", agentOnly),
    policy("host-keys", "Every SSH connection pins the host key.", hostKeys),
    policy("loopback-only", "Only Caddy listens on external addresses.", (resource) =>
      loopbackOnly(resource, settings["gatehouse:policy"]?.ports),
    ),
    {
      ...policy("image-digests", "Images are pinned by digest.", imageDigests),
      enforcementLevel: settings["gatehouse:policy"]?.requireDigest ? "mandatory" : "advisory",
    },
    {
      name: "plain-secrets",
      description: "The configuration contains no secrets in plain text.",
      validateStack: (_stack, report) => {
        for (const violation of plainSecrets(settings, SECRET_KEYS)) report(violation);
      },
    },
  ],
});

function policy(name, description, rule) {
  return {
    name,
    description,
    validateResource: ({ urn, type, props }, report) => {
      for (const violation of rule({ urn, type, props: known(props) })) report(violation);
    },
  };
}

/** The properties without unknown values. The pack runs again during the update, before those values are used. */
function known(props) {
  const readable = (key) => {
    try {
      return [[key, props[key]]];
    } catch (error) {
      if (error instanceof UnknownValueError) return [];
      throw error;
    }
  };
  return Object.fromEntries(Object.keys(props).flatMap(readable));
}

/** The project's own configuration; objects are passed as JSON. */
function configuration() {
  const decoded = (text) => {
    try {
      return JSON.parse(text);
    } catch {
      return text;
    }
  };
  return Object.fromEntries(
    Object.entries(pulumi.runtime.allConfig())
      .filter(([key]) => key.startsWith("gatehouse:"))
      .map(([key, text]) => [key, decoded(text)]),
  );
}
