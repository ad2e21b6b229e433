import { afterAll, beforeAll, test } from "vitest";
import { host } from "../plan/host.ts";
import type { Sshd } from "../unit/sshd.ts";
import { Projects } from "./project.ts";

const PROGRAM = `
import * as random from "@pulumi/random";
import { App, Gatehouse, Group, Host, platforms, quiet, Release } from "gatehouse";

quiet();
const { connection, has = [], ...options } = JSON.parse(process.env.GIVEN);
const server = new random.RandomPassword("server", { length: 8 });
const of = (name) => {
  const { dependsOn, deletedWith, ...others } = options[name] ?? {};
  return { ...others, ...(dependsOn && { dependsOn: server }), ...(deletedWith && { deletedWith: server }) };
};
if (has.includes("prod")) {
  const { host, postgres } = new Gatehouse("prod", { host: connection, authentik: { domain: "auth.example.org", version: "2026.8.3" } }, of("prod"));
  new App("wiki", { host, postgres, containers: { web: { image: "registry.example.org/wiki:1.4.2", port: 8080 } } }, of("wiki"));
} else {
  const host = new Host("host", { connection, platform: platforms.debian }, of("host"));
  for (const name of has) {
    const manifest = { files: [{ path: "/etc/" + name, mode: "0644", owner: "root:root", content: (options.content ?? "") + "x\\n" }] };
    new Release(name, { host, manifest }, of(name));
  }
}
`;
let server: Sshd;
let projects: Projects;
beforeAll(async () => {
  server = await host();
  projects = new Projects("options-test");
  projects.add("shop", { "index.ts": PROGRAM });
  await projects.run("shop", "pulumi", ["stack", "init", "dev"]);
});
afterAll(async () => {
  await server.close();
  projects.remove();
});
const pulumi = async (args: string[], given: object = {}) => {
  const connection = { address: "127.0.0.1", port: server.port, hostKey: server.hostKey, privateKey: server.key };
  const before = server.asked.length;
  const r = await projects.run("shop", "pulumi", [...args, "--non-interactive", "--color", "never", "--stack", "dev"], {
    variables: { GIVEN: JSON.stringify({ connection, ...given }) },
  });
  console.log(
    "#### ",
    args.join(" "),
    r.status,
    args.includes("--json") ? r.text.slice(-1500) : r.text.slice(0, 4000),
    server.asked.slice(before).map(({ command }) => command),
  );
  return r;
};
const UP = ["up", "--yes", "--skip-preview"];
const urn = (type: string, name: string) => `urn:pulumi:dev::shop::${type}::${name}`;
const R = "gatehouse:index:Release";
test("explore", async () => {
  const wide = await pulumi(["preview", "--json"], {
    has: ["prod"],
    prod: { protect: true, retainOnDelete: true, deletedWith: true, dependsOn: true },
  });
  const { steps } = JSON.parse(wide.text);
  console.log(
    JSON.stringify(
      steps
        .filter((s: any) => /Command::prod-(caddy|host)/.test(s.urn))
        .map((s: any) => ({ ...s.newState, inputs: 0, outputs: 0 })),
      null,
      1,
    ).slice(0, 4000),
  );
  await pulumi(UP, { has: ["a", "b", "c"], c: { deletedWith: true } });
  await pulumi([...UP, "--target", urn(R, "a")], { has: ["a", "b", "c"], content: "1" });
  await pulumi([...UP, "--target", "**::a*"], { has: ["a", "b", "c"], content: "1" });
  await pulumi([...UP, "--target", "**::d*"], { has: ["a", "b", "c", "d"], content: "1" });
  await pulumi([...UP, "--replace", urn(R, "a")], { has: ["a", "b", "c", "d"], content: "1" });
  await pulumi([...UP, "--replace", "**::a-release"], { has: ["a", "b", "c", "d"], content: "1" });
  await pulumi(["import", "gatehouse:index:Release", "x", "x", "--yes"], { has: ["a", "b", "c", "d"], content: "1" });
  await pulumi(["import", "command:remote:Command", "x", "x", "--yes"], { has: ["a", "b", "c", "d"], content: "1" });
  await pulumi(UP, { has: ["a", "b", "c"], a: { protect: true }, b: { retainOnDelete: true } });
  await pulumi([...UP], { has: ["a"], a: { protect: true } });
  await pulumi([...UP], { has: [] });
  await pulumi(["destroy", "--yes", "--skip-preview"], {});
});
