// The interfaces that `npm run schema` writes are, without Outputs, the inputs of the schemas: `tsc` compares them.
import type { Output } from "@pulumi/pulumi";
import { expectTypeOf, test } from "vitest";
import type { z } from "zod";
import type { AuthentikInput } from "../../components/authentik/input.ts";
import type { authentikSchema } from "../../components/authentik/schema.ts";
import type { BackupInput } from "../../components/backup/input.ts";
import type { backupSchema } from "../../components/backup/schema.ts";
import type { CaddyInput } from "../../components/caddy/input.ts";
import type { caddySchema } from "../../components/caddy/schema.ts";
import type { SettingsInput } from "../../components/config/input.ts";
import type { settingsSchema } from "../../components/config/schema.ts";
import type { PostgresInput } from "../../components/postgres/input.ts";
import type { postgresSchema } from "../../components/postgres/schema.ts";
import type { ValkeyInput } from "../../components/valkey/input.ts";
import type { valkeySchema } from "../../components/valkey/schema.ts";

/** The same without Outputs. */
type Values<T> = T extends Output<unknown> | Promise<unknown>
  ? never
  : T extends object
    ? { [Key in keyof T]: Values<T[Key]> }
    : T;

test("each has the keys and the types of its schema", () => {
  expectTypeOf<Values<AuthentikInput>>().toEqualTypeOf<z.input<typeof authentikSchema>>();
  expectTypeOf<Values<BackupInput>>().toEqualTypeOf<z.input<typeof backupSchema>>();
  expectTypeOf<Values<CaddyInput>>().toEqualTypeOf<z.input<typeof caddySchema>>();
  expectTypeOf<Values<PostgresInput>>().toEqualTypeOf<z.input<typeof postgresSchema>>();
  expectTypeOf<Values<ValkeyInput>>().toEqualTypeOf<z.input<typeof valkeySchema>>();
  expectTypeOf<Values<SettingsInput>>().toEqualTypeOf<z.input<typeof settingsSchema>>();
});
