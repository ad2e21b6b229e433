// A release with data, and with `purge`, gets another name in the program or on the host: its data is neither deleted nor lost
// from sight.
import { afterAll, beforeAll, expect, test } from "vitest";
import { Projects } from "../../engine/project.ts";
import { VAULT } from "../../engine/vault.ts";
import { Lab } from "../support/lab.ts";

const PROGRAM = `
import { Host, inspect, platforms, quiet, Release } from "gatehouse";

quiet();
const { connection, releases } = JSON.parse(process.env.GIVEN);
const debian = { platform: platforms.debian };
const host = new Host("host", { connection, ...debian, facts: await inspect(connection, debian, "on") });
for (const [name, { releaseName, aliases }] of Object.entries(releases)) {
  const item = releaseName ?? name;
  const files = [{ path: "/etc/" + item + ".conf", mode: "0644", owner: "root:root", content: "x\\n" }];
  const path = "/var/lib/" + item;
  const directories = [{ path, mode: "0755", owner: "root:root" }];
  const manifest = { files, directories, data: [{ name: "data", path }] };
  new Release(name, { host, releaseName, purge: true, manifest }, { aliases });
}
`;
const WIKI = { wiki: {} };
const DOCS = { docs: { releaseName: "wiki" } };
let lab: Lab;
let projects: Projects;

beforeAll(async () => {
  lab = await Lab.stocked("renames");
  projects = new Projects("renames-test");
  projects.add("shop", { "index.ts": PROGRAM });
  await projects.run("shop", "pulumi", ["stack", "init", "dev", "--secrets-provider", VAULT]);
  expect(await up(WIKI)).toMatchObject({ status: 0 });
  await lab.sh("echo written >/var/lib/wiki/row");
});
afterAll(async () => {
  await lab.destroy();
  projects.remove();
});

function pulumi(args: string[], releases: object) {
  const connection = { address: lab.address, hostKey: lab.hostKey, privateKey: lab.key };
  const variables = { GIVEN: JSON.stringify({ connection, releases }) };
  return projects.run("shop", "pulumi", [...args, "--stack", "dev", "--non-interactive"], { variables });
}
const up = (releases: object) => pulumi(["up", "--yes", "--skip-preview"], releases);
/** The release is on the host, with its data. */
const expectWiki = async () =>
  expect(await lab.sh("cat /etc/wiki.conf /var/lib/wiki/row; gatehouse status")).toMatch(
    /^x\nwritten\n.*all healthy$/s,
  );

test("a preview of another name says which data stays", async () => {
  const { text } = await pulumi(["preview"], { docs: {} });
  expect(text).toContain("no longer declared on this host: wiki; new: docs.");
  expect(text).toContain("Their data stays (/var/lib/wiki), and the new ones begin without it.");
});

test("an update with another name does not delete the data, and the former name is as before", async () => {
  const { status, text } = await up({ docs: {} });
  expect(status).not.toBe(0);
  expect(text).toContain(
    "the data of wiki is not deleted and wiki is not removed, because the same `pulumi up` adds docs",
  );
  await expectWiki();
  expect(await up(WIKI)).toMatchObject({ status: 0 });
  await expectWiki();
  expect(await lab.sh("ls /var/lib/docs 2>&1 || true")).toContain("No such file");
});

test("with an alias and the former name on the host, nothing changes there except the owner", async () => {
  const generation = await lab.sh("cat /var/lib/gatehouse/releases/wiki/current");
  const { status, text } = await up({ docs: { releaseName: "wiki", aliases: [{ name: "wiki" }] } });
  expect([status, text.match(/^ +[-+] .*release/gm)], text).toEqual([0, null]);
  expect(await lab.sh("cat /var/lib/gatehouse/releases/wiki/current")).toBe(generation);
  await expectWiki();
  expect((await up(DOCS)).text).not.toMatch(/updated|created/);
});

test("without an alias, the former resource is deleted after the new one has the release, and removes nothing", async () => {
  const { status, text } = await up({ again: { releaseName: "wiki" } });
  expect([status, /docs-release deleted/.test(text)], text).toEqual([0, true]);
  await expectWiki();
});

test("another name on the host is a replacement, which does not delete the data either", async () => {
  const { status, text } = await up({ again: { releaseName: "other" } });
  expect([status, text.includes("adds other: if wiki only got another name")], text).toEqual([1, true]);
  expect(await lab.sh("cat /var/lib/wiki/row; ls /etc/other.conf 2>&1 || true")).toMatch(/^written\n.*No such file/);
});

test("a removal alone deletes the data, as purge says", async () => {
  expect(await up({ again: { releaseName: "wiki" } })).toMatchObject({ status: 0 });
  expect(await up({})).toMatchObject({ status: 0 });
  expect(await lab.sh("ls /var/lib/wiki 2>&1 || true")).toContain("No such file");
  expect(await lab.sh("tar xzOf /var/backups/gatehouse/wiki/*/data/wiki.tar.gz wiki/row")).toBe("written");
});
