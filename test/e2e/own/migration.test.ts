// Takes over a host that a playbook set up, by following docs/migrating-from-ansible.md; users' data must still exist
// afterwards. On a separate host, since the playbook needs an empty one.
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { blocksOf, MIGRATION } from "../../documents/blocks.ts";
import { EXHAUSTIVE, Lab, run } from "../support/lab.ts";
import { Operator } from "../support/operator.ts";

const PLAY = fileURLToPath(new URL("../../ansible/play", import.meta.url));
const CLUSTER = "runuser -u postgres -- psql -XAtc 'SELECT system_identifier FROM pg_control_system()'";
const IDS = "id authentik; getent group postgres-clients valkey-clients | cut -d: -f1,3";
const NOTES = "curl --silent --fail http://127.0.0.1:9000/notes";
let lab: Lab;
let operator: Operator;
let before: { cluster: string; ids: string; notes: string };

beforeAll(async () => {
  lab = await Lab.create("migration", "2025.8.4");
  operator = await Operator.of(lab, "auth.example.org");
  await plays();
  await answers();
  await lab.sh("curl --silent --fail -X POST 'http://127.0.0.1:9000/notes?text=of-ansible'");
  // Written after the last dump.rdb, so only the append-only file contains it.
  await lab.sh("valkey-cli -a AnsibleValkeyPassword --no-auth-warning -n 1 set of-ansible kept");
  await lab.sh("install -o authentik -g authentik /etc/hostname /srv/authentik/media/upload");
  before = { cluster: await lab.sh(CLUSTER), ids: await lab.sh(IDS), notes: await lab.sh(NOTES) };
});
afterAll(async () => {
  operator?.remove();
  await lab?.destroy();
});

const answers = () => lab.sh(`timeout 120 sh -c 'until ${NOTES}; do sleep 1; done'`);

async function plays(): Promise<void> {
  const { status, text } = await run(PLAY, [lab.name]);
  expect(status, text).toBe(0);
}

Operator.follows(MIGRATION, () => operator);

test("authentik has the data that users wrote, in the same cluster, with the same account", async () => {
  expect(before.notes).toContain("of-ansible");
  expect(await lab.sh(NOTES)).toBe(before.notes);
  expect(await lab.sh(CLUSTER)).toBe(before.cluster);
  expect(await lab.sh(IDS)).toBe(before.ids);
  expect(await lab.stat("/var/lib/authentik/data/media/upload")).toBe("755 authentik:authentik");
});

test("its secret key is Ansible's, so that sessions continue, and is in no file that others can read", async () => {
  const key = "the-key-that-ansible-made-and-that-signs-everybodys-cookies";
  expect(await lab.sh("cat /var/lib/gatehouse/secrets/authentik-secrets/*/secret_key")).toBe(key);
  const holding = await lab.sh(`grep -rl ${key} /etc /var/lib/gatehouse | sort`);
  for (const path of holding.split("\n")) expect(await lab.stat(path), path).toMatch(/^([46]00 |440 root:authentik$)/);
  expect(holding).not.toContain("/etc/");
});

test("Valkey has what was written after its last dump, only for the user of that number", async () => {
  const asks = (login: string) => lab.sh(`valkey-cli -u '${login}' --no-auth-warning get of-ansible || true`);
  const url = await lab.sh("cat /var/lib/gatehouse/secrets/authentik-secrets/*/valkey_url");
  const [, password] = /authentik:(\w+)@/.exec(url) ?? [];
  expect(await asks(`valkey://authentik:${password}@127.0.0.1:6379/1`)).toBe("kept");
  expect(await asks("valkey://default:AnsibleValkeyPassword@127.0.0.1:6379/1")).toContain("WRONGPASS");
});

test("there is nothing left to do, and nothing of Ansible's runs", async () => {
  await operator.types("pulumi up --stack prod --skip-preview --expect-no-changes");
  expect(await lab.sh("systemctl show --property DropInPaths --value valkey-server")).not.toContain("override");
  expect(await lab.sh("ss -Hlnt 'sport = :5432'")).toBe("");
});

test.runIf(EXHAUSTIVE)("`destroy` and the playbook restore the old state, with the data", async () => {
  await operator.types("pulumi destroy --stack prod");
  expect(await lab.sh("grep -c AnsibleValkeyPassword /etc/valkey/valkey.conf")).toBe("1");
  await plays();
  // The document's last commands, for a host that was returned to the playbook.
  await lab.sh(blocksOf(MIGRATION).at(-1)?.text ?? "false");
  await answers();
  expect(await lab.stat("/srv/authentik/media/upload")).toBe("755 authentik:authentik");
  expect(await lab.sh(NOTES)).toBe(before.notes);
  expect(await lab.sh("valkey-cli -a AnsibleValkeyPassword --no-auth-warning -n 1 get of-ansible")).toBe("kept");
});
