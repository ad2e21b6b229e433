// Generated from the schema by `npm run schema`.
import type { Input } from "@pulumi/pulumi";

/** Settings as they are given: what has a default may be left out. */
export interface BackupInput {
  /**
   * Repository for the encrypted backups: exactly one of `path`, `sftp` and `s3`.
   * @example {"path":"/srv/backups"}
   */
  repository: {
    /**
     * Folder on the host itself, such as a mounted disk.
     * @example "/srv/backups"
     */
    path?: Input<string>;
    /**
     * Folder on an SFTP server.
     * @example {"address":"keeper.example.org","user":"gatehouse","hostKey":"ecdsa-sha2-nistp256 AAAA...","path":"/srv/backups"}
     */
    sftp?: Input<{
      /**
       * IP address or name of the SFTP server.
       * @example "keeper.example.org"
       */
      address: Input<string>;
      /**
       * Port of sshd on the server.
       * @default 22
       */
      port?: Input<number>;
      /**
       * User to log in as, with the key `gatehouse:backupKey`.
       * @example "backup"
       */
      user: Input<string>;
      /**
       * Public host key of the server; no other key is trusted. If the server has several, use the ECDSA key, which
       * pgBackRest requests first.
       * @example "ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAI..."
       */
      hostKey: Input<string>;
      /**
       * Folder on the server, which the user must be able to write to.
       * @example "/srv/backups"
       */
      path: Input<string>;
    }>;
    /**
     * Bucket of an S3-compatible service.
     * @example {"endpoint":"s3.eu-central-1.amazonaws.com","bucket":"gatehouse-backups","keyId":"AKIAIOSFODNN7EXAMPLE"}
     */
    s3?: Input<{
      /**
       * Host name of the service, with a port if needed. It is accessed over HTTPS with path-style URLs (the path
       * begins with the bucket).
       * @example "s3.eu-central-1.amazonaws.com"
       */
      endpoint: Input<string>;
      /**
       * Region of the bucket. Services with a single region accept any value.
       * @default "us-east-1"
       */
      region?: Input<string>;
      /**
       * Name of the bucket, which must already exist.
       * @example "gatehouse-backups"
       */
      bucket: Input<string>;
      /**
       * Folder in the bucket.
       * @default "/"
       * @example "/prod"
       */
      path?: Input<string>;
      /**
       * ID of the access key; its secret is `gatehouse:backupKey`.
       * @example "AKIAIOSFODNN7EXAMPLE"
       */
      keyId: Input<string>;
    }>;
  };
  /**
   * When to create a backup, as a systemd calendar expression. It starts up to half an hour later.
   * @default "*-*-* 02:00:00"
   * @example "*-*-* 03:30:00"
   */
  schedule?: Input<string>;
  /**
   * When to restore the newest backup beside the running services and verify it, as a systemd calendar expression. It
   * starts up to half an hour later.
   * @default "Sun *-*-* 04:00:00"
   * @example "Sun *-*-1..7 05:00:00"
   */
  drill?: Input<string>;
  /**
   * Days between two full backups of PostgreSQL; the backups in between contain only the differences.
   * @default 7
   */
  full?: Input<number>;
  /**
   * Number of full backups to keep, together with all backups that depend on them.
   * @default 4
   */
  keep?: Input<number>;
  /**
   * Whether a lower `keep` may delete existing backups. Otherwise such an `up` is refused, and lists the backups.
   * @default false
   */
  allowDataLoss?: Input<boolean>;
}
