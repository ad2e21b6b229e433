import { z } from "zod";
import { faultIn } from "./caddyfile.ts";

/** More lines of Caddyfile for one site, in which no other is opened. */
export const directives = z
  .string()
  .refine((lines) => faultIn(lines) === undefined, { error: ({ input }) => faultIn(String(input)) ?? "" })
  .default("");
