// Documents for all items other than releases: groups, accounts, packages and keys.
import { z } from "zod";

const takes = (examples: string) =>
  z
    .array(z.string())
    .default([])
    .meta({
      description: `Objects to take over although gatehouse did not create them, each as kind and name: ${examples}.`,
    });

export const groupSchema = z.object({
  name: z
    .string()
    .meta({ description: "Name of the group. If it does not exist, it is created with `groupadd --system`." }),
  gid: z
    .int()
    .optional()
    .meta({ description: "Must be the GID of the existing group, or unused.", without: "the host chooses" }),
  takes: takes("`group NAME`"),
});

export const accountSchema = z.object({
  name: z.string().meta({
    description:
      "Name of the account. If it does not exist, it is created with `useradd --system`, with its own group and without a login.",
  }),
  home: z.string().meta({
    description:
      "Home directory in /etc/passwd, set only when the account is created. The directory itself is not created.",
  }),
  groups: z
    .array(z.string())
    .default([])
    .meta({ description: "The complete list of supplementary groups. All must exist." }),
  uid: z
    .int()
    .optional()
    .meta({ description: "Must be the UID of the existing account, or unused.", without: "the host chooses" }),
  owner: z
    .string()
    .default("")
    .meta({ description: "Resource that requests the account, as `PROJECT/STACK/RESOURCE`.", without: "none" }),
  releases: z.array(z.string()).default([]).meta({
    description:
      "Releases that run as this account. If one of them belongs to another stack than `owner`, the account is refused.",
  }),
  takes: takes("`account NAME`, `group NAME`, or `stack PROJECT/STACK` if `releases` are to move from that stack"),
});

export const packagesSchema = z.object({
  names: z.array(z.string()).meta({ description: "Packages to install if they are missing; they are never upgraded." }),
  units: z.array(z.string()).default([]).meta({
    description:
      "Units of the first package. They are masked in /run while packages are installed, so that none of them starts with its stock configuration.",
  }),
  manager: z.string().default("apt").meta({ description: "Package manager: `apt` or `pacman`." }),
});

export const keySchema = z.object({
  name: z
    .string()
    .meta({ description: "Name of the key, and of its files in /etc/gatehouse/keys: `NAME.key` and `NAME.crt`." }),
  subject: z.string().meta({ description: "Common name in the certificate." }),
  addresses: z.array(z.string()).meta({ description: "IP addresses in the certificate." }),
  group: z.string().default("root").meta({ description: "Group that may read the key." }),
});

export type GroupDocument = z.input<typeof groupSchema>;
export type AccountDocument = z.input<typeof accountSchema>;
export type PackagesDocument = z.input<typeof packagesSchema>;
export type KeyDocument = z.input<typeof keySchema>;
