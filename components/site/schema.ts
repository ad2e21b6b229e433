import { z } from "zod";
import { faultIn } from "./caddyfile.ts";

/** More Caddyfile lines for one site, which cannot open another site. */
export const directives = z
  .string()
  .refine((lines) => faultIn(lines) === undefined, { error: ({ input }) => faultIn(String(input)) ?? "" })
  .default("");
