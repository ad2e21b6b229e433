// An account that may use a socket tries to take its place: from a container and as an account of the host, while the
// server runs, while it restarts, and while it is down.
import { beforeAll, describe, expect, test } from "vitest";
import { ask } from "../e2e/support/client.ts";
import { EXHAUSTIVE } from "../e2e/support/lab.ts";
import { Attacked } from "./support/host.ts";

const POSTGRES = "postgresql@17-main.service";
const CANARY = "/root/canary-of-sockets";

let host: Attacked;
beforeAll(async () => {
  host = await Attacked.host();
  await host.lab.sh(`echo untouched >${CANARY} && chmod 600 ${CANARY}`);
});

/** Each socket, with a host account that may use it and the container that uses it. */
const SOCKETS = [
  { folder: "/run/postgresql", name: ".s.PGSQL.5432", unit: POSTGRES, server: "postgres", client: "evil", in: "evil" },
  { folder: "/run/valkey", name: "valkey.sock", unit: "valkey-server.service", server: "valkey", client: "authentik" },
  {
    folder: "/run/valkey-evil",
    name: "valkey.sock",
    unit: "valkey-evil.service",
    server: "evil-valkey",
    client: "evil",
    in: "evil",
  },
] as const;
type Socket = (typeof SOCKETS)[number];

const GROUP = { postgres: "postgres-clients", valkey: "valkey-clients", "evil-valkey": "evil-valkey" };

/** Attempts to impersonate a server; prints those that succeeded. */
const attacks = ({ folder, name }: Pick<Socket, "folder" | "name">) => `
import os, socket
folder, name = ${JSON.stringify(folder)}, ${JSON.stringify(name)}
there = f"{folder}/{name}"
def bind(path):
    with socket.socket(socket.AF_UNIX) as s: s.bind(path)
attempts = {
    "rename it": lambda: os.rename(there, f"{folder}/moved"),
    "rename over it": lambda: (bind(f"{folder}/mine"), os.rename(f"{folder}/mine", there)),
    "link over it": lambda: (os.symlink("${CANARY}", f"{folder}/lnk"), os.rename(f"{folder}/lnk", there)),
    "hard link": lambda: os.link(there, f"{folder}/second"),
    "unlink it": lambda: os.unlink(there),
    "bind it": lambda: bind(there),
    "make its folder": lambda: os.mkdir(there),
    "chmod it": lambda: os.chmod(there, 0o777),
    "chmod the folder": lambda: os.chmod(folder, 0o2777),
    "rename the folder": lambda: os.rename(folder, f"{folder}-away"),
}
for what, attempt in attempts.items():
    try: attempt()
    except OSError: continue
    print(what)
`;

const CREATE = (folder: string) => `
import os, socket
for what, make in {
    "file": lambda p: open(p, "x"), "folder": os.mkdir, "FIFO": os.mkfifo,
    "link": lambda p: os.symlink("${CANARY}", p), "socket": lambda p: socket.socket(socket.AF_UNIX).bind(p),
}.items():
    try: make(f"${folder}/a-{what}")
    except OSError: continue
    print(what)
`;

const CONNECT = ({ folder, name }: Socket) => `
import socket, struct, pwd
s = socket.socket(socket.AF_UNIX); s.connect("${folder}/${name}")
print(pwd.getpwuid(struct.unpack("3i", s.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))[1]).pw_name)
`;

const asPython = (account: string, program: string) =>
  host.as(account, `timeout 60 python3 - <<'PROGRAM'\n${program}\nPROGRAM`).then(({ text }) => text.trim());

/** Starts, stops or restarts a unit, regardless of its start limit. */
const tell = (verb: "start" | "stop" | "restart", unit: string) =>
  host.lab.sh(`systemctl reset-failed ${unit} 2>/dev/null || true; systemctl ${verb} ${unit}`);

const inode = (folder: string) => host.lab.sh(`stat -c %i ${folder}`);

/** The required owners and modes. */
async function expectReady({ folder, name, server }: Socket, mode = "3770"): Promise<void> {
  expect(await host.lab.stat(folder)).toBe(`${mode} ${server}:${GROUP[server]}`);
  if (mode === "3770") expect(await host.lab.stat(`${folder}/${name}`)).toBe(`770 ${server}:${GROUP[server]}`);
}

describe.each(SOCKETS)("$folder", (socket) => {
  const { folder, name, unit, server, client } = socket;

  test("is open to its clients, which reach the server", async () => {
    await expectReady(socket);
    expect(await asPython(client, CONNECT(socket))).toBe(server);
  });

  test("no client can replace the socket while the server runs", async () => {
    expect(await asPython(client, attacks(socket))).toBe("");
    await expectReady(socket);
    expect(await asPython(client, CONNECT(socket))).toBe(server);
  });

  test("anything that clients created in it is deleted at a restart, without following symlinks", async () => {
    const before = await inode(folder);
    expect(await asPython(client, CREATE(folder))).toBe("file\nfolder\nFIFO\nlink\nsocket");
    await asPython(
      client,
      `import os\nos.chdir("${folder}")\nfor n in range(3000): os.symlink("${CANARY}", f"l{n}")\nfor n in range(1500):\n  os.mkdir("d")\n  os.chdir("d")`,
    );
    // The client's own folder, which it can still reach.
    const racer = host.as(
      client,
      `mkdir ${folder}/mine && cd ${folder}/mine && timeout 8 sh -c 'while :; do echo >x 2>/dev/null; mkdir y 2>/dev/null; rm -rf x y; done'`,
    );
    await new Promise((resolve) => setTimeout(resolve, 500));
    await tell("restart", unit);
    await racer;
    const left = await host.lab.sh(`find ${folder} -mindepth 1 -maxdepth 1 ! -user ${server} ! -name '.removed-*'`);
    expect(left).toBe("");
    expect(await host.lab.sh(`find ${folder} -mindepth 1 -maxdepth 1 -name '.removed-*' ! -user root`)).toBe("");
    await expectReady(socket);
    expect(await inode(folder)).toBe(before);
    await tell("restart", unit);
    expect(await host.lab.sh(`find ${folder} -mindepth 1 -maxdepth 1 ! -user ${server}`)).toBe("");
    expect(await host.lab.sh(`cat ${CANARY}; stat -c '%a %U' ${CANARY}`)).toBe("untouched\n600 root");
  });

  test.each([
    ["stopped", `systemctl stop ${unit}`],
    // Without the stop, Valkey would restart by itself.
    ["killed", `kill -KILL $(systemctl show -P MainPID ${unit}); systemctl stop ${unit}`],
  ])("while the server is %s clients can create nothing in it, and the next start succeeds", async (_, down) => {
    await host.lab.sh(down);
    await expectReady(socket, "3750");
    expect(await asPython(client, attacks(socket))).toBe("");
    expect(await asPython(client, CREATE(folder))).toBe("");
    expect(await asPython(client, CONNECT(socket))).toMatch(/FileNotFoundError|ConnectionRefusedError/);
    await tell("start", unit);
    await expectReady(socket);
    expect(await asPython(client, CONNECT(socket))).toBe(server);
  });

  test("is closed at boot", async () => {
    await host.lab.sh(
      `systemctl stop ${unit} && mv ${folder} ${folder}.away && systemd-tmpfiles --create 2>/dev/null; true`,
    );
    expect(await host.lab.sh(`stat -c %a ${folder} 2>/dev/null || true`)).toMatch(/^(3750)?$/);
    await tell("start", unit);
    await expectReady(socket);
    // The running containers have the old folder mounted.
    await host.lab.sh(`systemctl stop ${unit} && rm -r ${folder} && mv ${folder}.away ${folder}`);
    await tell("start", unit);
    await expectReady(socket);
  });

  test("without the first wall, the server does not start at a name that a client has taken", async () => {
    await host.lab.sh(`systemctl stop ${unit} && chmod 3770 ${folder}`);
    await asPython(
      client,
      `import os\nos.mkdir("${folder}/${name}")\nopen("${folder}/${name}/x", "w")\nos.mkfifo("${folder}/${name}.lock")\nos.symlink("${CANARY}", "${folder}/17-main.pid")`,
    );
    await tell("start", unit);
    await expectReady(socket);
    expect(await asPython(client, CONNECT(socket))).toBe(server);
    expect(await host.lab.sh(`cat ${CANARY}; stat -c '%a %U' ${CANARY}`)).toBe("untouched\n600 root");
  });
});

test("is read-only in a container, which can use the socket", async () => {
  for (const socket of SOCKETS.filter((socket) => "in" in socket)) {
    expect(await host.inside("evil", attacks(socket) + CREATE(socket.folder))).toBe("");
    await host.inside(
      "evil",
      `import socket\nsocket.socket(socket.AF_UNIX).connect("${socket.folder}/${socket.name}")`,
    );
  }
  expect(await host.sql("evil", "select current_user")).toContain("evil");
});

test("a client that keeps trying never replaces the server while it restarts again and again", async () => {
  const [postgres, valkey] = SOCKETS;
  const end = "/tmp/no-more-races";
  const racer = ({ folder, name, client }: Socket) =>
    host.as(
      client,
      `python3 - <<'PROGRAM'
import os, socket
won, tries = set(), 0
def bind(path):
    with socket.socket(socket.AF_UNIX) as s: s.bind(path)
os.chdir("${folder}")
make = {"bind": bind, "link": lambda p: os.symlink("${CANARY}", p), "mkdir": os.mkdir, "FIFO": os.mkfifo, "file": lambda p: open(p, "x").close()}
change = {"unlink": os.unlink, "rename": lambda p: os.rename(p, "gone"), "rename over": lambda p: (bind("mine"), os.rename("mine", p))}
while not os.path.exists("${end}"):
    for what, attempt in {**make, **change}.items():
        tries += 1
        try: attempt("${name}"); won.add(what)
        except OSError: pass
print("; ".join(sorted(won)) or "nothing", "in many tries" if tries > 10000 else f"in {tries} tries")
PROGRAM`,
    );
  const restarts = ({ unit }: Socket, times: number) =>
    host.lab.sh(
      `for n in $(seq ${times}); do systemctl reset-failed ${unit} 2>/dev/null; systemctl restart ${unit} || exit 1; done`,
    );
  await host.lab.sh(`rm -f ${end}`);
  const racers = [postgres, valkey].map(racer);
  try {
    await Promise.all([restarts(postgres, EXHAUSTIVE ? 50 : 15), restarts(valkey, EXHAUSTIVE ? 50 : 20)]);
  } finally {
    await host.lab.sh(`touch ${end}`);
  }
  for (const { text } of await Promise.all(racers)) expect(text).toBe("nothing in many tries\n");
  for (const socket of [postgres, valkey]) {
    await expectReady(socket);
    expect(await asPython(socket.client, CONNECT(socket))).toBe(socket.server);
  }
});

describe("valkey-socket-fix", () => {
  const FIX = "valkey-socket-fix.service";

  test("repairs the modes of the socket and its folder", async () => {
    await host.lab.sh(
      `chmod 700 /run/valkey/valkey.sock && chgrp root /run/valkey/valkey.sock && chmod 2777 /run/valkey`,
    );
    await tell("restart", FIX);
    await expectReady(SOCKETS[1]);
    expect(await host.lab.sh(`journalctl -u ${FIX} -n 4 --output=cat`)).toMatch(/valkey.sock was 700 .*, set to 770/);
  });

  test.each([
    ["link", `ln -s ${CANARY}`],
    ["link to a folder", "ln -s /root"],
    ["hard link", `ln ${CANARY}`],
    ["FIFO", "mkfifo"],
    ["folder", "mkdir"],
  ])("leaves a %s in place of the socket alone, and also its target", async (what, make) => {
    await host.lab.sh("cd /run/valkey && mv valkey.sock aside");
    // A hard link needs a file in the same file system, which /root is not.
    const place = what === "hard link" ? `cp -p ${CANARY} /run/canary && ln /run/canary` : make;
    await host.lab.sh(`${place} /run/valkey/valkey.sock`);
    await expect(tell("restart", FIX)).rejects.toThrow("failed");
    expect(await host.lab.sh(`stat -c '%a %U:%G' ${CANARY} /root`)).toBe("600 root:root\n700 root:root");
    if (what === "hard link") expect(await host.lab.stat("/run/canary")).toBe("600 root:root");
    await host.lab.sh("cd /run/valkey && rm -rf valkey.sock /run/canary && mv aside valkey.sock");
    await tell("restart", FIX);
    await expectReady(SOCKETS[1]);
  });
});

describe("a client that logs in with a password, as in docs/decisions/006", () => {
  /**
   * A fake server in PostgreSQL's place that requests the password in clear text, or none; prints the received data.
   */
  const falseServer = (asks: "clear" | "nothing") => `
import os, socket, struct, subprocess, sys, threading
folder = "/tmp/false-server"; os.makedirs(folder, exist_ok=True)
s = socket.socket(socket.AF_UNIX); there = f"{folder}/.s.PGSQL.5432"
if os.path.exists(there): os.unlink(there)
s.bind(there); s.listen()
got = []
def serve():
    while True:
        c, _ = s.accept()
        try:
            while True:
                n, = struct.unpack("!i", c.recv(4)); body = c.recv(n - 4)
                if body[:4] == struct.pack("!i", 196608): break
                c.send(b"N")
            if ${JSON.stringify(asks)} == "clear":
                c.send(b"R" + struct.pack("!ii", 8, 3)); got.append(c.recv(1000))
            c.send(b"R" + struct.pack("!ii", 8, 0) + b"Z" + struct.pack("!i", 5) + b"I"); got.append(c.recv(1000))
        except Exception as error: got.append(str(error))
        c.close()
threading.Thread(target=serve, daemon=True).start()
for more in ("", " require_auth=scram-sha-256"):
    got.clear()
    done = subprocess.run(["psql", f"host={folder} user=reporting dbname=reports{more}", "-c", "SELECT 'a secret question'"],
                          env={"PATH": os.environ["PATH"], "PGPASSWORD": "topsecret"}, capture_output=True, text=True, timeout=20)
    heard = repr(got)
    print("password" if "topsecret" in heard else "", "question" if "secret question" in heard else "", "requirement" if "authentication method requirement" in done.stderr else "", sep="|")
`;

  test("does not give it to a false server, and sends it no query", async () => {
    expect(await asPython("evil", falseServer("clear"))).toBe("password|question|\n||requirement");
    expect(await asPython("evil", falseServer("nothing"))).toBe("|question|\n||requirement");
  });

  test("connects to the real server", async () => {
    const { logins } = await host.stack.outputs();
    const { status, text } = await host.as(
      "evil",
      `PGPASSWORD=${logins.postgres.reporting} psql -XqAt "host=/run/postgresql user=reporting dbname=reports require_auth=scram-sha-256" -c "SELECT current_user"`,
    );
    expect({ status, text }).toEqual({ status: 0, text: "reporting\n" });
  });
});

test("authentik and the attacked application work as before", async () => {
  const ready = () =>
    ask(host.lab.address, "auth.lab.internal", "/-/health/ready/").then(
      ({ status }) => status,
      () => 0,
    );
  await expect.poll(ready, { timeout: 30_000 }).toBe(200);
  expect(await host.sql("victim", "select current_user")).toContain("victim");
  expect(await host.lab.sh("gatehouse verify")).toContain("in sync");
});
