import { z } from "zod";
import { withClashes } from "../schema/clashes.ts";
import type { Fault } from "../schema/faults.ts";
import { PLAIN } from "../schema/partly.ts";
import { rotation } from "../schema/scalars.ts";
import { container, containerName, secretName, variable } from "./container.ts";
import { clashes, connectionLimit, database, issuer, SECRET_KEYS, shared, site } from "./schema.ts";

const kind = z.enum(["generated", "configured"]).meta(PLAIN);

const entry = z.strictObject({
  containers: z
    .record(
      containerName,
      container
        .extend({
          secrets: z
            .record(secretName, kind)
            .default({})
            .meta({
              ...PLAIN,
              description:
                "Secrets by file name: each is the file /run/secrets/NAME, which only the app can read. `generated`: a password of 48 letters and digits. `configured`: the value of `appSecrets.APP.NAME`. Containers that use the same name share the secret.",
              examples: [{ "session-key": "generated", "smtp-password": "configured" }],
            }),
          secretEnvironment: z
            .record(variable, kind)
            .default({})
            .meta({
              ...PLAIN,
              description:
                "Secret environment variables, `generated` or `configured` like `secrets`, for an image that cannot read a secret from a file. They reach the container through Podman's secrets: no unit file, argument list or `podman inspect` contains them.",
              examples: [{ SMTP_PASSWORD: "configured" }],
            }),
        })
        .meta(PLAIN),
    )
    .default({})
    .meta({
      ...PLAIN,
      description:
        "Containers by name. A single one runs alone; several share a pod and reach each other on 127.0.0.1. Jobs run outside the pod and are not counted. Without it, the app consists of the files of its site.",
    }),
  postgres: z
    .strictObject({ database, connections: connectionLimit })
    .optional()
    .meta({
      ...PLAIN,
      description:
        "Access to PostgreSQL's socket, as the role with the app's name in a database that the role owns. Without it, the app is not in the group of the socket.",
      examples: [{}],
    }),
  site: site
    .extend({
      tls: issuer.optional().meta({
        description: "Issuer of the certificate, as in `caddy.tls`. Without it, the same as for the other sites.",
        examples: ["internal"],
      }),
    })
    .optional()
    .meta({
      ...PLAIN,
      description:
        "A public name, under which Caddy serves the app or its files. Without it, only the host can reach it.",
      examples: [{ domain: "grafana.example.org", port: 3000 }],
    }),
  ...shared,
  rotation: rotation.meta({ description: "Increase it by one to generate every generated secret again." }),
});
export type AppEntry = z.output<typeof entry>;

function* twoKinds({ containers }: AppEntry): Generator<Fault> {
  const holders = new Map<string, [container: string, kind: string]>();
  for (const [container, tables] of Object.entries(containers))
    for (const key of SECRET_KEYS)
      for (const [name, kind] of Object.entries(tables[key])) {
        const [holder, other] = holders.get(name) ?? [container, kind];
        if (kind !== other)
          yield { path: ["containers", container, key, name], message: `is ${other} in the container ${holder}` };
        holders.set(name, [holder, other]);
      }
}

/** An app in the configuration of a platform, whose secrets are generated or set apart from it. */
export const entrySchema = withClashes(entry, (settings, invalid) => [
  ...clashes(settings, invalid),
  ...twoKinds(settings),
]);
