// Answers of the agent by command. Each answer is one line of JSON.
import { z } from "zod";

const texts = z.array(z.string());
const byName = z.record(z.string(), z.string());

export const answers = {
  group: z.object({ name: z.string(), gid: z.int() }),
  account: z.object({ name: z.string(), uid: z.int(), gid: z.int(), groups: texts }),
  packages: z.object({
    manager: z.string().optional().meta({ description: "Absent from older agents." }),
    versions: byName.meta({ description: "Version of each package, as the package manager reports it." }),
  }),
  key: z.object({
    name: z.string(),
    certificate: z.string().meta({ description: "Its certificate in PEM format, which is not secret." }),
  }),
  release: z.object({
    release: z.string(),
    generation: z.int(),
    changed: texts.meta({ description: "Paths that this apply changed." }),
    units: byName.meta({ description: "Action taken on each unit, such as `restart`." }),
    opens: byName
      .optional()
      .meta({ description: "Passphrase in use for each backup repository, by the place of the repository." }),
  }),
};

/** The answer for one kind of item. */
export type Answer<Kind extends keyof typeof answers> = z.output<(typeof answers)[Kind]>;
