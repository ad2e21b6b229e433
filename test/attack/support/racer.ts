// A program that exchanges a folder and a symlink as fast as the kernel can.
import type { Lab } from "../../e2e/support/lab.ts";

// Exchanges entries of a folder that the account owns with a symlink to the canary: the given names, or each new folder
// that appears. Counts the exchanges. Waits for new folders without using the processor: the kernel wakes it at each.
const PROGRAM = `
import ctypes, os, signal, stat, sys
folder, canary, *wanted = sys.argv[1:]
libc, swaps, own = ctypes.CDLL(None), 0, set() if wanted else set(os.listdir(folder))
os.chdir(folder)
def end(*_):
    # The folders are at their names again, as far as that is theirs to do.
    try:
        names = os.listdir(".")
    except OSError:  # the folder is gone
        names = []
    for name in names:
        if name.startswith(".racer-"):
            real = name.removeprefix(".racer-")
            if not os.path.islink(name) and os.path.islink(real):
                libc.renameat2(-100, name.encode(), -100, real.encode(), 2)
            os.unlink(name) if os.path.islink(name) else None
    print(swaps, flush=True)
    os._exit(0)
signal.signal(signal.SIGTERM, end)
CREATE, MOVED_TO = 0x100, 0x80  # linux/inotify.h
news = libc.inotify_init1(0)
libc.inotify_add_watch(news, b".", CREATE | MOVED_TO)
print("ready", flush=True)
while True:
    names = wanted or [name for name in os.listdir(".") if name not in own and not name.startswith(".racer-")]
    if not names:
        os.read(news, 1 << 16)
    for name in names:
        link = f".racer-{name}"
        try:
            os.path.lexists(link) or os.symlink(canary, link)
        except OSError:
            continue
        for _ in range(50):
            swaps += libc.renameat2(-100, name.encode(), -100, link.encode(), 2) == 0
`;

export class Racer {
  readonly #lab: Lab;
  readonly #unit: string;

  private constructor(lab: Lab, unit: string) {
    this.#lab = lab;
    this.#unit = unit;
  }

  /** Starts as `account` in a folder that it can write. Exchanges `names`, or each folder that appears from now on. */
  static async start(lab: Lab, account: string, folder: string, canary: string, names: string[]): Promise<Racer> {
    const unit = `racer-${account}`;
    await lab.sh(`cat >/tmp/racer.py <<'PROGRAM'\n${PROGRAM}\nPROGRAM`);
    await lab.sh(
      `systemd-run --quiet --collect --unit=${unit} --uid=${account} --property=StandardOutput=truncate:/run/${unit} python3 /tmp/racer.py ${folder} ${canary} ${names.join(" ")}`,
    );
    await lab.awaits(`grep -q ready /run/${unit}`);
    return new Racer(lab, unit);
  }

  /** Ends it; returns the number of exchanges. */
  async stop(): Promise<number> {
    await this.#lab.sh(`systemctl stop ${this.#unit}`);
    return Number((await this.#lab.sh(`cat /run/${this.#unit}`)).split("\n")[1]);
  }
}
