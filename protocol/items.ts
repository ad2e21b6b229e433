// Documents for all items other than releases: groups, accounts and packages.
import { z } from "zod";

const takes = (examples: string) =>
  z
    .array(z.string())
    .default([])
    .meta({
      description: `What is taken over though gatehouse did not make it, each as kind and name: ${examples}.`,
    });

export const groupSchema = z.object({
  name: z.string().meta({ description: "Looked up, or made with `groupadd --system`." }),
  gid: z.int().optional().meta({ description: "Must be the existing group's, or free.", without: "the host chooses" }),
  takes: takes("`group NAME`"),
});

export const accountSchema = z.object({
  name: z.string().meta({
    description: "Looked up, or made with `useradd --system`, with a group of its own and without a login.",
  }),
  home: z.string().meta({ description: "The home directory in passwd, at creation only. Not made." }),
  groups: z.array(z.string()).default([]).meta({ description: "Supplementary groups, exactly these. All must exist." }),
  uid: z
    .int()
    .optional()
    .meta({ description: "Must be the existing account's, or free.", without: "the host chooses" }),
  owner: z.string().default("").meta({ description: "`PROJECT/STACK/RESOURCE` that asks.", without: "none" }),
  releases: z.array(z.string()).default([]).meta({
    description:
      "The releases that run as it. While one of these is another stack's than `owner`'s, the account is refused.",
  }),
  takes: takes("`account NAME`, `group NAME`, and `stack PROJECT/STACK`, whose `releases` may be moved"),
});

export const packagesSchema = z.object({
  names: z.array(z.string()).meta({ description: "Installed when missing; never upgraded." }),
  units: z.array(z.string()).default([]).meta({
    description:
      "Of the first package: masked in /run while packages are installed, so that nothing starts with its stock configuration.",
  }),
  manager: z.string().default("apt").meta({ description: "`apt` or `pacman`: what installs them." }),
});

export type GroupDocument = z.input<typeof groupSchema>;
export type AccountDocument = z.input<typeof accountSchema>;
export type PackagesDocument = z.input<typeof packagesSchema>;
