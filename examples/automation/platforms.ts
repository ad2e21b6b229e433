// Platforms of several customers, operated by a program of your own, without a project of Pulumi:
//
//     node platforms.ts preview|up|outputs|destroy NAME
//
// platforms.json has the host and the domain of each; SSH_KEY_FILE is the path of the private key.
import { readFile } from "node:fs/promises";
import * as pulumi from "@pulumi/pulumi";
import { CommandError, LocalWorkspace, type Stack } from "@pulumi/pulumi/automation/index.js";
import { Gatehouse, type GatehouseArgs, platformSchema, quiet } from "gatehouse";

interface Customer {
  host: { address: string; port?: number; hostKey: string };
  domain: string;
}

quiet();

/** What Pulumi runs for each preview and each update. The key is not in the configuration, which the CLI gets as arguments. */
const program =
  ({ host, domain }: Customer, sshKey: string) =>
  async () => {
    const args: GatehouseArgs = {
      host: { ...host, privateKey: pulumi.secret(sshKey) },
      authentik: { domain, version: "2026.8.3" },
    };
    const facts = await Gatehouse.inspect(args);
    const { platform, administrator } = new Gatehouse("platform", { ...args, facts });
    return { platform, administrator };
  };

const print = {
  onOutput: (text: string) => void process.stdout.write(text),
  onError: (text: string) => void process.stderr.write(text),
};

const COMMANDS: Record<string, (stack: Stack) => Promise<void>> = {
  async preview(stack) {
    const { changeSummary } = await stack.preview(print);
    console.log("preview:", JSON.stringify(changeSummary));
  },
  async up(stack) {
    const { summary } = await stack.up(print);
    console.log("up:", summary.result, JSON.stringify(summary.resourceChanges));
  },
  async outputs(stack) {
    const { platform, administrator } = await stack.outputs();
    if (!platform) throw new Error(`${stack.name} is not deployed yet`);
    const { authentik, postgres } = platformSchema.parse(platform.value);
    console.log(authentik.url, postgres.versions, administrator?.secret ? "has an administrator" : "");
  },
  async destroy(stack) {
    await stack.destroy({ ...print, remove: true });
  },
};

const [command = "", stackName = ""] = process.argv.slice(2);
const customers = JSON.parse(await readFile("platforms.json", "utf8")) as Record<string, Customer>;
const [run, customer] = [COMMANDS[command], customers[stackName]];
if (!run || !customer)
  throw new Error(`expected ${Object.keys(COMMANDS).join("|")} and one of: ${Object.keys(customers).join(", ")}`);

const sshKey = await readFile(process.env.SSH_KEY_FILE ?? "", "utf8");
try {
  const stack = { stackName, projectName: "platforms", program: program(customer, sshKey) };
  await run(await LocalWorkspace.createOrSelectStack(stack));
} catch (error) {
  // Its output has been printed.
  if (!(error instanceof CommandError)) throw error;
  process.exitCode = 1;
}
