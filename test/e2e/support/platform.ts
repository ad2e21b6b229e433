// What the hosts of this run are: LAB_PLATFORM, which test/lab/lab reads as well. "arch" is a likeness of Arch and not Arch.
import { platforms } from "../../../components/host/platforms/platforms.ts";

const name = (process.env.LAB_PLATFORM ?? "debian") as keyof typeof platforms;

export const platform = platforms[name];
