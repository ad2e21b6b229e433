// What the hosts of this run are: LAB_PLATFORM, which test/lab/lab reads as well. "arch" is a likeness of Arch and not Arch.
import { platforms } from "../../../components/distribution/distributions.ts";

export const distribution = platforms[(process.env.LAB_PLATFORM ?? "debian") as keyof typeof platforms];

export const POSTGRES = distribution.postgres.unit;
export const VALKEY = distribution.valkey.unit;
