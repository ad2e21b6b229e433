// The pack: `pulumi preview --policy-pack policy`. JavaScript, since the runner of packs would compile a .ts given to it
// with its own old compiler; what is imported from here, Node reads as it is.
import { createRequire } from "node:module";
import { agentOnly, hostKeys, imageDigests, loopbackOnly, plainSecrets } from "./rules.ts";

const require = createRequire(import.meta.url);
const { PolicyPack, UnknownValueError } = require("@pulumi/policy");
const pulumi = require("@pulumi/pulumi");

/** Which keys are encrypted is not told to a pack. The program reads these no other way, and all else only in plain. */
const SECRET_KEYS = ["sshKey", "authentikSecrets", "registries", "backupKey", "backupPassphrase"].map(
  (key) => `gatehouse:${key}`,
);

const settings = configuration();

new PolicyPack("gatehouse", {
  enforcementLevel: "mandatory",
  policies: [
    policy("agent-only", "Nothing reaches a host but gatehouse's agent.", agentOnly),
    policy("host-keys", "Every SSH connection knows the key of its host.", hostKeys),
    policy("loopback-only", "Nothing but Caddy listens to the outside.", loopbackOnly),
    {
      ...policy("image-digests", "Images are pinned by digest.", imageDigests),
      enforcementLevel: settings["gatehouse:policy"]?.requireDigest ? "mandatory" : "advisory",
    },
    {
      name: "plain-secrets",
      description: "No secret stands in the configuration in plain text.",
      validateStack: (_stack, report) => {
        for (const told of plainSecrets(settings, SECRET_KEYS)) report(told);
      },
    },
  ],
});

function policy(name, description, rule) {
  return {
    name,
    description,
    validateResource: ({ urn, type, props }, report) => {
      for (const told of rule({ urn, type, props: known(props) })) report(told);
    },
  };
}

/** Without what only the update will know: there the pack runs again, before anything is done with it. */
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

/** The project's own configuration; tables come as JSON. */
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
