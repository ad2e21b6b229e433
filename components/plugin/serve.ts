// Started by plugin.cjs, with the arguments of the engine.
import * as pulumi from "@pulumi/pulumi";
import { quiet } from "../sdk/quiet.ts";
import { provider } from "./provider.ts";

quiet();
await pulumi.provider.main(provider, process.argv.slice(2));
