// A client of the database that counts what was acknowledged.
import type { Lab } from "./lab.ts";

const COUNT = `psql -qh /run/postgresql -d authentik -c 'CREATE TABLE IF NOT EXISTS counted (n text PRIMARY KEY)'
n=0; : >/tmp/acknowledged
while [ -e /tmp/counting ]; do n=$((n + 1))
  psql -qh /run/postgresql -d authentik -c "INSERT INTO counted VALUES ('$1-$n')" 2>/dev/null && echo "$(date +%s.%N) $1-$n" >>/tmp/acknowledged
done`;
let runs = 0;

/** What a client on a host notices while something happens: the longest time without a write, and the writes that are lost. */
export async function noticed(lab: Lab, happens: () => Promise<unknown>): Promise<{ longest: number; lost: string[] }> {
  await lab.sh(`touch /tmp/counting; rm -f /tmp/acknowledged; cat >/tmp/count.sh <<'SH'\n${COUNT}\nSH\n`);
  const counting = lab.sh(`runuser -u authentik -- sh /tmp/count.sh run${++runs}`);
  await lab.awaits("[ -s /tmp/acknowledged ]");
  await happens();
  // It ends with a write after what happened.
  const now = await lab.sh("cat /tmp/acknowledged | wc -l");
  await lab.awaits(`[ $(wc -l </tmp/acknowledged) -gt ${Number(now) + 3} ]`);
  await lab.sh("rm /tmp/counting");
  await counting;
  const rows = (await lab.sh("cat /tmp/acknowledged")).split("\n").map((line) => line.split(" ") as [string, string]);
  const kept = new Set(
    (await lab.sh("runuser -u authentik -- psql -h /run/postgresql -d authentik -Atc 'TABLE counted'")).split("\n"),
  );
  const times = rows.map(([time]) => Number(time));
  return {
    longest: Math.max(...times.slice(1).map((time, index) => time - (times[index] as number))),
    lost: rows.map(([, row]) => row).filter((row) => !kept.has(row)),
  };
}
