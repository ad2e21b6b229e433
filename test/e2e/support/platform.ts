// The platform of the hosts in this run: LAB_PLATFORM, which test/lab/lab reads too. "arch" is an imitation of Arch.
import { platforms } from "../../../components/distribution/distributions.ts";

export const distribution = platforms[(process.env.LAB_PLATFORM ?? "debian") as keyof typeof platforms];

export const POSTGRES = distribution.postgres.unit;
export const VALKEY = distribution.valkey.unit;
