// Bad input is refused before anything happens: one clear message, and no change on the host. On a separate, empty
// host, where any change is visible.
import { afterAll, beforeAll, expect, test } from "vitest";
import { Lab, run } from "../support/lab.ts";
import { type Settings, Stack } from "../support/stack.ts";

let lab: Lab;
let stack: Stack;
beforeAll(async () => {
  lab = await Lab.stocked("refusals");
  stack = await Stack.create(lab);
  await lab.sh(
    "useradd -m -s /bin/bash deploy && cp -r /root/.ssh /home/deploy/ && chown -R deploy: /home/deploy/.ssh",
  );
});
afterAll(async () => {
  await lab.destroy();
  stack.remove();
});

interface Refusal {
  what: string;
  make: (settings: Settings) => void;
  says: RegExp[];
}

const BAD: Refusal[] = [
  {
    what: "an unknown key, an invalid domain and an invalid port, all reported together",
    make: (settings) => {
      settings.authentik.domian = "x";
      settings.authentik.domain = "not a domain";
      settings.host.port = 99999;
      settings.catty = {};
    },
    says: [
      /Pulumi\.refusals-\d+\.yaml is invalid; nothing was changed:/,
      /authentik\.domian: unknown key/,
      /authentik\.domain: expected a domain name in lower case, such as auth\.example\.org, got "not a domain"/,
      /host\.port: expected a port from 1 to 65535, got 99999/,
      /catty: unknown key/,
    ],
  },
  {
    what: "one GID for two groups",
    make: (settings) => Object.assign(settings, { postgres: { gid: 2001 }, valkey: { gid: 2001 } }),
    says: [/valkey\.gid: GID 2001 is already postgres\.gid; each group needs its own GID/],
  },
  {
    what: "a GID that another group of the host has",
    make: (settings) => Object.assign(settings, { postgres: { gid: 1 } }),
    says: [/GID 1, configured for group postgres-clients, belongs to group daemon: choose another, or leave it out/],
  },
  {
    what: "a host that does not answer",
    make: (settings) => Object.assign(settings.host, { port: 1 }),
    says: [/root@10\.\d+\.\d+\.2:1 cannot be reached \(.*ECONNREFUSED.*\): check host\.address and host\.port/],
  },
  {
    what: "another host key than the configured one",
    make: (settings) =>
      Object.assign(settings.host, {
        hostKey: "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJmTLwkxB/pm6eCwXDexplMkOSael5MXe81t6UbmR6OJ",
      }),
    says: [
      /has another host key than host\.hostKey:/,
      /expected SHA256:/,
      /offered {2}SHA256:/,
      /the connection may be intercepted/,
    ],
  },
  {
    what: "a user who may not use sudo",
    make: (settings) => Object.assign(settings.host, { user: "deploy", sudo: true }),
    says: [/deploy@10\.\d+\.\d+\.2 may not use sudo without a password/, /NOPASSWD/],
  },
  {
    what: "an unprivileged user without sudo",
    make: (settings) => Object.assign(settings.host, { user: "deploy" }),
    says: [/this host cannot be used:/, /user deploy is not root: set host\.sudo to true/],
  },
];

/** The final output for the operator; above it, the CLI shows the first line while it works. */
const reported = (text: string) => text.slice(text.indexOf("Diagnostics:"));

test.each(BAD)("$what", async ({ make, says }) => {
  const wrong = new Stack(lab);
  make(wrong.settings);
  const { status, text, counts } = await wrong.up();
  expect(status).not.toBe(0);
  for (const sentence of says)
    expect(reported(text).match(new RegExp(sentence, "g")) ?? [], `${sentence} once in:\n${text}`).toHaveLength(1);
  expect(text, "no stack trace").not.toMatch(/^\s+at .*\.ts:\d+/m);
  expect(counts.created ?? 0, "at most the stack itself and its components").toBeLessThanOrEqual(1);
});

test("a private key that the host does not accept", async () => {
  const key = await run("sh", [
    "-c",
    `ssh-keygen -qt ed25519 -N '' -f ${stack.folder}/stranger && cat ${stack.folder}/stranger`,
  ]);
  await stack.setKey(key.text);
  const { status, text } = await new Stack(lab).up();
  expect(status).not.toBe(0);
  expect(reported(text).match(/root@10\.\d+\.\d+\.2:22 refuses the key in gatehouse:sshKey/g)).toHaveLength(1);
  expect(text).toContain("pulumi config set --secret gatehouse:sshKey");
  await stack.setKey(lab.key);
});

test("an invalid private key", async () => {
  await stack.setKey("banana");
  expect((await new Stack(lab).up()).text).toMatch(/gatehouse:sshKey is not a private key in OpenSSH or PEM format/);
  await stack.setKey(lab.key);
});

/** What an `up` says while the host is in another state. */
async function saysWhile(change: string, back: string, settings: (settings: Settings) => void = () => {}) {
  await lab.sh(change);
  try {
    const wrong = new Stack(lab);
    settings(wrong.settings);
    const { status, text } = await wrong.up();
    expect(status).not.toBe(0);
    return reported(text);
  } finally {
    await lab.sh(back);
  }
}

test("a user whose login shell runs no commands", async () => {
  const deploy = (settings: Settings) => Object.assign(settings.host, { user: "deploy", sudo: true });
  expect(
    await saysWhile("usermod --shell /usr/sbin/nologin deploy", "usermod --shell /bin/bash deploy", deploy),
  ).toMatch(/deploy@10\.\d+\.\d+\.2 accepts the login, but runs no commands: the login shell of deploy/);
});

test("root where sshd has PermitRootLogin no", async () => {
  const file = "/etc/ssh/sshd_config.d/00-no-root.conf";
  expect(
    await saysWhile(`echo 'PermitRootLogin no' >${file} && systemctl reload ssh`, `rm ${file} && systemctl reload ssh`),
  ).toMatch(
    /refuses the key in gatehouse:sshKey\..* root cannot log in: set host\.user to a user with passwordless sudo/,
  );
});

test("a source that sshd refuses for a while after failed logins", async () => {
  const file = "/etc/ssh/sshd_config.d/00-penalties.conf";
  const penalties = "PerSourcePenalties authfail:60s noauth:60s min:1s";
  const probe = `for n in 1 2 3; do ssh -o BatchMode=yes -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -i ${stack.folder}/stranger stranger@${lab.address} true; done`;
  await lab.sh(`printf '${penalties}\\n' >${file} && systemctl restart ssh`);
  await run("sh", ["-c", probe]);
  expect(await saysWhile("true", `rm ${file} && systemctl restart ssh`)).toMatch(
    /it accepts the connection, but ends it before the handshake .*: wait a minute and run this again/s,
  );
});

test("a read-only /usr", async () => {
  expect(await saysWhile("mount --bind /usr /usr && mount -o remount,bind,ro /usr", "umount --lazy /usr")).toMatch(
    /read-only: \/usr \/usr\/local, where packages and files are installed: mount it writable there, such as `mount -o remount,rw \/usr`/,
  );
});

test("in a preview an unreachable host causes a warning, and the preview continues", async () => {
  const unreachable = new Stack(lab);
  unreachable.settings.host.port = 1;
  const { status, text } = await unreachable.preview();
  expect(text).toMatch(/cannot be reached .*The preview continues/);
  expect(status).toBe(0);
});

test("after all of them the host is unchanged", async () => {
  expect(
    (await lab.try("ls -d /var/lib/gatehouse /usr/local/bin/gatehouse /usr/local/lib/gatehouse /etc/caddy")).text,
  ).not.toMatch(/^\//m);
  expect((await lab.try("getent group postgres-clients valkey-clients authentik")).text).toBe("");
});
