// Which settings of PostgreSQL take effect on a reload, and which need a restart. A preview needs this without a host;
// a test compares the lists with `pg_settings.context` on a real server.

/** Settings that the platform decides: the location of the cluster, and how it is reached. */
export const OWN_SETTINGS = [
  "config_file",
  "data_directory",
  "external_pid_file",
  "hba_file",
  "ident_file",
  "include",
  "include_dir",
  "include_if_exists",
  "listen_addresses",
  "port",
  "unix_socket_directories",
  "unix_socket_group",
  "unix_socket_permissions",
] as const;

/** Settings that the backup decides, if there is one. */
export const ARCHIVE_SETTINGS = [
  "archive_command",
  "archive_library",
  "archive_mode",
  "archive_timeout",
  "restore_command",
] as const;

/** All other settings with the context `postmaster` in PostgreSQL 17. */
export const RESTART_SETTINGS: ReadonlySet<string> = new Set(
  `archive_mode autovacuum_freeze_max_age autovacuum_max_workers autovacuum_multixact_freeze_max_age bonjour bonjour_name
   cluster_name commit_timestamp_buffers data_sync_retry debug_io_direct dynamic_shared_memory_type event_source hot_standby
   huge_page_size huge_pages ignore_invalid_pages jit_provider logging_collector max_connections max_files_per_process
   max_locks_per_transaction max_logical_replication_workers max_notify_queue_pages max_pred_locks_per_transaction
   max_prepared_transactions max_replication_slots max_wal_senders max_worker_processes min_dynamic_shared_memory
   multixact_member_buffers multixact_offset_buffers notify_buffers recovery_target recovery_target_action
   recovery_target_inclusive recovery_target_lsn recovery_target_name recovery_target_time recovery_target_timeline
   recovery_target_xid reserved_connections serializable_buffers shared_buffers shared_memory_type
   shared_preload_libraries subtransaction_buffers superuser_reserved_connections trace_connection_negotiation
   track_activity_query_size track_commit_timestamp transaction_buffers wal_buffers wal_decode_buffer_size wal_level
   wal_log_hints`.split(/\s+/),
);

/** Additional ones in PostgreSQL 18. autovacuum_max_workers, which needs no restart there, still causes one. */
export const RESTART_SETTINGS_OF_18: ReadonlySet<string> = new Set([
  "autovacuum_worker_slots",
  "io_max_combine_limit",
  "io_max_concurrency",
  "io_method",
  "max_active_replication_origins",
]);

/**
 * Whether a changed setting only takes effect after a restart. The context of extension settings (`name.setting`) is
 * unknown here, and an unnecessary restart is better than a setting that silently waits for the next one.
 */
export const needsRestart = (setting: string): boolean =>
  RESTART_SETTINGS.has(setting) || RESTART_SETTINGS_OF_18.has(setting) || setting.includes(".");
