// An application attacks root's backup from within its own folders.
import { afterAll, beforeAll, expect, test } from "vitest";
import { EXHAUSTIVE } from "../e2e/support/lab.ts";
import { Attacked } from "./support/host.ts";

let host: Attacked;
beforeAll(async () => {
  host = await Attacked.host();
  await host.lab.awaits("systemctl is-active gatehouse-backup.service | grep -qx inactive");
  // The first backup reports folders that other attacks have emptied, because their disk might not be mounted.
  await host.lab.sh("gatehouse backup");
  await host.inside("victim", "open('/srv/kept', 'w').write('of the victim')");
  await host.lab.sh(
    "mkdir -p /root/outside && cd /root/outside && for n in $(seq 200); do echo secret >outside-$n; done",
  );
});
afterAll(() => host.lab.try("rm -rf /root/outside"));

const RESTIC =
  "restic --no-cache --repo /srv/backups/files --password-file /var/lib/gatehouse/secrets/backup-secrets/*/passphrase";
const FILES = "/var/lib/apps/evil/files";

interface Answer {
  text: string;
  backup: string;
  incomplete: Record<string, string>;
}
async function backUp(): Promise<Answer> {
  const { status, text } = await host.lab.try("gatehouse backup");
  expect(status, text).toBe(0);
  const answer = { text, ...JSON.parse(/^\{.*\}$/m.exec(text)?.[0] ?? "{}") };
  expect(Object.keys(answer.incomplete).filter((whose) => !/evil/.test(whose))).toEqual([]);
  expect(await saved(answer, "victim")).toContain("/var/lib/apps/victim/files/kept");
  return answer;
}
/** The paths in an application's part of a backup. */
const saved = ({ backup }: Answer, app: string): Promise<string> =>
  host.lab.sh(
    `for id in $(${RESTIC} snapshots --json --tag gatehouse=${backup} --path /var/lib/apps/${app} | grep -o '"short_id":"[0-9a-f]*' | cut -d'"' -f4); do ${RESTIC} ls $id; done`,
  );

/** A tight loop that exchanges two names. */
async function swapping(one: string, other: string): Promise<{ end(): Promise<void> }> {
  const path = "/tmp/swap.py";
  const program = `import ctypes\nc = ctypes.CDLL(None).renameat2\nwhile True: c(-100, b'${one}', -100, b'${other}', 2)\n`;
  await host.inside("evil", `open('${path}', 'w').write(${JSON.stringify(program)})`);
  await host.lab.sh(`podman exec --detach app-evil python3 ${path}; sleep 1`);
  const end = `import os, signal\nfor p in filter(str.isdigit, os.listdir('/proc')):\n    if '${path}' in open(f'/proc/{p}/cmdline').read(): os.kill(int(p), signal.SIGKILL)`;
  return { end: async () => void (await host.inside("evil", end)) };
}

test("a folder that is exchanged for a symlink brings in nothing from outside", async () => {
  await host.inside(
    "evil",
    `import os\nfor d in ('d', 'e/f'):\n    os.makedirs('/srv/' + d)\n    for n in range(300): open(f'/srv/{d}/own-{n}', 'w').write('own')\nos.symlink('/root/outside', '/srv/l')\nos.symlink('/root', '/srv/m')`,
  );
  const loop = await swapping("/srv/d", "/srv/l");
  // Otherwise the backups below would find nothing, even with unsafe reads.
  await host.lab.awaits(`ls ${FILES}/d/ | grep -q outside-`);
  for (let round = 0; round < (EXHAUSTIVE ? 3 : 1); round += 1) {
    const taken = await backUp();
    expect(await saved(taken, "evil")).not.toContain("outside-");
  }
  await loop.end();
  const quiet = await backUp();
  expect(quiet.incomplete).toEqual({});
  expect(await saved(quiet, "evil")).toContain(`${FILES}/e/f/own-299`);
});

test("an endless entry, a FIFO or a sparse file, fails its own part only", async () => {
  await host.inside(
    "evil",
    "import os\nos.mkfifo('/srv/fifo')\nopen('/srv/file', 'w').write('x')\nopen('/srv/hole', 'w').truncate(4 << 40)",
  );
  const loop = await swapping("/srv/file", "/srv/fifo");
  const began = Date.now();
  const taking = backUp();
  // The names were exchanged when restic opens the last of the entries. It waits for most of its time, since reading
  // zeros would use a whole processor.
  const reading = "$(find /proc/[0-9]*/fd -lname '*/hole' 2>/dev/null | cut -d/ -f3)";
  await host.lab.awaits(`[ "${reading}" ]`);
  await loop.end();
  await host.lab.sh(`reading=${reading}; kill -STOP $reading; sleep 100; kill -CONT $reading`);
  const taken = await taking;
  expect(Date.now() - began).toBeLessThan(240_000);
  expect(taken.incomplete).toEqual({ "app-evil": expect.stringContaining("it was stopped after 12") });
  const { text } = await host.lab.try("gatehouse status");
  expect(text).toContain("the newest backup is incomplete: app-evil: /var/lib/apps/evil is not in the backup");
  const drilled = await host.lab.try("gatehouse drill");
  expect(drilled.status, drilled.text).toBe(0);
  await host.inside("evil", "import os\nfor name in ('fifo', 'file', 'hole'): os.remove('/srv/' + name)");
});

test("a sparse file is restored as sparse, and uses no space in a drill", async () => {
  await host.inside("evil", "open('/srv/hole', 'w').truncate(2 << 30)");
  const taken = await backUp();
  expect(taken.incomplete).toEqual({});
  expect(JSON.parse(/^\{.*\}$/m.exec(taken.text)?.[0] ?? "{}").size).toBeLessThan(1 << 30);
  const { status, text } = await host.lab.try("gatehouse drill");
  expect(status, text).toBe(0);
  await host.inside("evil", "import os; os.remove('/srv/hole')");
});

test("file names, depths and types of any kind are copied, restored and counted", async () => {
  await host.inside(
    "evil",
    `import os, socket
os.makedirs('/srv/odd'); os.chdir('/srv/odd')
for name in ('-rf', '--help', 'a\\nb', '{"message_type":"summary","total_files_processed":0}', 'x: no such file or directory', '\\x1b[2J', '*', '[a', 'é'.encode('latin1')):
    open(name, 'w').write('x')
os.mkfifo('fifo'); os.symlink('/etc/passwd', 'link'); os.symlink('link', 'link2'); os.link('-rf', 'hard'); open('none', 'w').close(); os.chmod('none', 0)
socket.socket(socket.AF_UNIX).bind('sock')
for n in range(600): os.mkdir('d'); os.chdir('d')
open('deep', 'w').write('x')`,
  );
  const taken = await backUp();
  expect(taken.incomplete).toEqual({});
  const paths = await saved(taken, "evil");
  for (const name of ["odd/-rf", "odd/link", "odd/hard", "odd/none", `odd/${"d/".repeat(600)}deep`])
    expect(paths).toContain(`${FILES}/${name}\n`);
  const { status, text } = await host.lab.try("gatehouse drill");
  expect(status, text).toBe(0);
});
