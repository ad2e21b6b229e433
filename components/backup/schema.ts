import { z } from "zod";
import { PLAIN } from "../schema/partly.ts";
import { address, hostKey, loginName, port } from "../schema/scalars.ts";

const text = (what: string, pattern: RegExp) => {
  const fault = {
    error: ({ input }: { input?: unknown }) => `expected ${what}, got ${JSON.stringify(input) ?? "nothing"}`,
  };
  return z.string(fault).regex(pattern, fault);
};

// Used in an ssh command and in pgbackrest.conf: no blanks, no quotes, and no `.` or `..`.
const PATH = /^(\/(?!\.{1,2}(\/|$))[\w.@+=~-]+)+$/;
// Two names or more, and not a system directory, because the release sets its mode.
const FOLDER =
  /^(?!\/(bin|boot|dev|etc|lib\w*|proc|run|sbin|sys|tmp|usr)\/|\/var\/[^/]+$)(\/(?!\.{1,2}(\/|$))[\w.@+=~-]+){2,}$/;
const folder = text(
  "a separate folder such as /srv/backups: an absolute path with at least two components, not a system folder",
  FOLDER,
);

const schedule = text(
  "a systemd calendar expression such as *-*-* 02:00:00 or Sun 04:00",
  /^[\w*.,:/~+-]+( [\w*.,:/~+-]+){0,3}$/,
);

// Part of a URL, in which @ ends it.
const sftpUser = loginName.refine((name) => !name.includes("@"), {
  error: ({ input }) => `expected a user name without @, got ${JSON.stringify(input)}`,
});

const REPOSITORIES = ["path", "sftp", "s3"] as const;
const repository = z
  .strictObject({
    path: folder
      .optional()
      .meta({ description: "Folder on the host itself, such as a mounted disk.", examples: ["/srv/backups"] }),
    sftp: z
      .strictObject({
        address: address.meta({
          description: "IP address or name of the SFTP server.",
          examples: ["keeper.example.org"],
        }),
        port: port.default(22).meta({ description: "Port of sshd on the server." }),
        user: sftpUser.meta({
          description: "User to log in as, with the key `gatehouse:backupKey`.",
          examples: ["backup"],
        }),
        hostKey: hostKey.meta({
          description:
            "Public host key of the server; no other key is trusted. If the server has several, use the ECDSA key, which pgBackRest requests first.",
          examples: ["ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAI..."],
        }),
        path: text("an absolute path such as /srv/backups", PATH).meta({
          description: "Folder on the server, which the user must be able to write to.",
          examples: ["/srv/backups"],
        }),
      })
      .optional()
      .meta({
        description: "Folder on an SFTP server.",
        examples: [
          {
            address: "keeper.example.org",
            user: "gatehouse",
            hostKey: "ecdsa-sha2-nistp256 AAAA...",
            path: "/srv/backups",
          },
        ],
      }),
    s3: z
      .strictObject({
        endpoint: text(
          "a host name, optionally with a port, such as s3.example.org",
          /^[a-z0-9]([a-z0-9.-]*[a-z0-9])?(:\d{1,5})?$/,
        ).meta({
          description:
            "Host name of the service, with a port if needed. It is accessed over HTTPS with path-style URLs (the path begins with the bucket).",
          examples: ["s3.eu-central-1.amazonaws.com"],
        }),
        region: text("a region such as us-east-1", /^[a-z0-9-]+$/)
          .default("us-east-1")
          .meta({ description: "Region of the bucket. Services with a single region accept any value." }),
        bucket: text("the name of a bucket", /^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/).meta({
          description: "Name of the bucket, which must already exist.",
          examples: ["gatehouse-backups"],
        }),
        path: text("an absolute path such as /prod", /^(\/|(\/(?!\.{1,2}(\/|$))[\w.@+=~-]+)+)$/)
          .default("/")
          .meta({ description: "Folder in the bucket.", examples: ["/prod"] }),
        keyId: text("the ID of an access key", /^[\w.+/=-]+$/).meta({
          description: "ID of the access key; its secret is `gatehouse:backupKey`.",
          examples: ["AKIAIOSFODNN7EXAMPLE"],
        }),
      })
      .optional()
      .meta({
        description: "Bucket of an S3-compatible service.",
        examples: [
          { endpoint: "s3.eu-central-1.amazonaws.com", bucket: "gatehouse-backups", keyId: "AKIAIOSFODNN7EXAMPLE" },
        ],
      }),
  })
  .superRefine(
    (kinds, context) => {
      const given = REPOSITORIES.filter((kind) => kinds[kind] !== undefined);
      if (given.length !== 1)
        context.addIssue({
          code: "custom",
          message: `expected exactly one of path, sftp and s3, got ${given.join(" and ") || "none"}`,
        });
    },
    // Also if one of the repositories is invalid itself.
    { when: ({ value }) => typeof value === "object" && value !== null },
  );

const whole = (least: number) => {
  const fault = {
    error: ({ input }: { input?: unknown }) =>
      `expected a whole number of at least ${least}, got ${JSON.stringify(input)}`,
  };
  return z.int(fault).min(least, fault);
};

/** Configuration of backups. */
export const backupSchema = z.strictObject({
  repository: repository.meta({
    ...PLAIN,
    description: "Repository for the encrypted backups: exactly one of `path`, `sftp` and `s3`.",
    examples: [{ path: "/srv/backups" }],
  }),
  schedule: schedule.default("*-*-* 02:00:00").meta({
    description: "When to create a backup, as a systemd calendar expression. It starts up to half an hour later.",
    examples: ["*-*-* 03:30:00"],
  }),
  drill: schedule.default("Sun *-*-* 04:00:00").meta({
    description:
      "When to restore the newest backup beside the running services and verify it, as a systemd calendar expression. It starts up to half an hour later.",
    examples: ["Sun *-*-1..7 05:00:00"],
  }),
  full: whole(1).default(7).meta({
    description: "Days between two full backups of PostgreSQL; the backups in between contain only the differences.",
  }),
  keep: whole(1)
    .default(4)
    .meta({ description: "Number of full backups to keep, together with all backups that depend on them." }),
  allowDataLoss: z.boolean().default(false).meta({
    description:
      "Whether a lower `keep` may delete existing backups. Otherwise such an `up` is refused, and lists the backups.",
  }),
});
export type BackupSettings = z.output<typeof backupSchema>;
export type Repository = BackupSettings["repository"];
