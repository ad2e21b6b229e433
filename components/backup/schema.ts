import { z } from "zod";
import { address, hostKey, port, unixName } from "../schema/scalars.ts";

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
  "a folder of its own such as /srv/backups: absolute, of two names or more, and none of the system's",
  FOLDER,
);

const schedule = text(
  "a calendar expression of systemd's such as *-*-* 02:00:00 or Sun 04:00",
  /^[\w*.,:/~+-]+( [\w*.,:/~+-]+){0,3}$/,
);

const repository = z
  .strictObject({
    path: folder
      .optional()
      .meta({ description: "A folder on the host itself, such as a mounted disk.", examples: ["/srv/backups"] }),
    sftp: z
      .strictObject({
        address: address.meta({
          description: "IP address or name of the SFTP server.",
          examples: ["keeper.example.org"],
        }),
        port: port.default(22).meta({ description: "Port of its sshd." }),
        user: unixName.meta({ description: "Who to log in as, with `gatehouse:backupKey`.", examples: ["backup"] }),
        hostKey: hostKey.meta({
          description:
            "The server's public key; nothing else is trusted. Of a server with several, the ECDSA one: pgBackRest asks for that first.",
          examples: ["ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAI..."],
        }),
        path: text("an absolute path such as /srv/backups", PATH).meta({
          description: "The folder on the server, which the user may write to.",
          examples: ["/srv/backups"],
        }),
      })
      .optional()
      .meta({
        description: "A folder on an SFTP server.",
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
          "a host name, with a port if need be, such as s3.example.org",
          /^[a-z0-9]([a-z0-9.-]*[a-z0-9])?(:\d{1,5})?$/,
        ).meta({
          description: "Where the service is reached over HTTPS, with paths that begin with the bucket.",
          examples: ["s3.eu-central-1.amazonaws.com"],
        }),
        region: text("a region such as us-east-1", /^[a-z0-9-]+$/)
          .default("us-east-1")
          .meta({ description: "The bucket's region; services with a single one take any." }),
        bucket: text("the name of a bucket", /^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/).meta({
          description: "The bucket, which is there already.",
          examples: ["gatehouse-backups"],
        }),
        path: text("an absolute path such as /prod", /^(\/|(\/(?!\.{1,2}(\/|$))[\w.@+=~-]+)+)$/)
          .default("/")
          .meta({ description: "The folder in the bucket.", examples: ["/prod"] }),
        keyId: text("the id of an access key", /^[\w.+/=-]+$/).meta({
          description: "The id of the access key whose secret is `gatehouse:backupKey`.",
          examples: ["AKIAIOSFODNN7EXAMPLE"],
        }),
      })
      .optional()
      .meta({
        description: "A bucket that is spoken to as S3 is.",
        examples: [
          { endpoint: "s3.eu-central-1.amazonaws.com", bucket: "gatehouse-backups", keyId: "AKIAIOSFODNN7EXAMPLE" },
        ],
      }),
  })
  .superRefine((kinds, context) => {
    const given = Object.entries(kinds).flatMap(([kind, value]) => (value === undefined ? [] : [kind]));
    if (given.length !== 1)
      context.addIssue({
        code: "custom",
        message: `expected exactly one of path, sftp and s3, got ${given.join(" and ") || "none"}`,
      });
  });

const whole = (least: number) => {
  const fault = {
    error: ({ input }: { input?: unknown }) => `expected a whole number from ${least} on, got ${JSON.stringify(input)}`,
  };
  return z.int(fault).min(least, fault);
};

/** Configuration of backups. */
export const backupSchema = z.strictObject({
  repository: repository.meta({
    description: "Where backups go, encrypted: exactly one of `path`, `sftp` and `s3`.",
    examples: [{ path: "/srv/backups" }],
  }),
  schedule: schedule.default("*-*-* 02:00:00").meta({
    description: "When to back up, as systemd writes calendars; up to half an hour later.",
    examples: ["*-*-* 03:30:00"],
  }),
  drill: schedule.default("Sun *-*-* 04:00:00").meta({
    description:
      "When to restore the newest backup beside the running services and look at it; up to half an hour later.",
    examples: ["Sun *-*-1..7 05:00:00"],
  }),
  full: whole(1)
    .default(7)
    .meta({ description: "Days from one full backup of PostgreSQL to the next; those between hold what differs." }),
  keep: whole(1)
    .default(4)
    .meta({ description: "How many full backups to keep, with everything that stands on them." }),
  allowDataLoss: z.boolean().default(false).meta({
    description:
      "Whether a lower `keep` may delete backups that are there. Without it such an `up` is refused, and names them.",
  }),
});
export type BackupSettings = z.output<typeof backupSchema>;
export type Repository = BackupSettings["repository"];
