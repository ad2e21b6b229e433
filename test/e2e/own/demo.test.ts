// `make demo`, from a separate checkout, ends as described in docs/lab.md, and its output is correct. Runs only in a
// complete run, since all other tests deploy the same platform.
import { expect, test } from "vitest";
import { blocksOf, fits } from "../../documents/blocks.ts";
import { EXHAUSTIVE } from "../support/lab.ts";
import { Operator } from "../support/operator.ts";

const HOST = `demo-${process.pid}`;
// A user may have a demo on this machine.
const asked = `export DEMO_HOST=${HOST}`;

test.runIf(EXHAUSTIVE)("`make demo` ends as in docs/lab.md, and the commands that it prints work", async () => {
  const blocks = blocksOf("README.md");
  const [demo = ""] = blocks.find(({ text }) => text.startsWith("make demo"))?.text.split("\n") ?? [];
  const reported = blocksOf("docs/lab.md").find(({ text }) => text.startsWith("The platform answers"))?.text ?? "";
  const operator = Operator.alone();
  try {
    const text = await operator.types(`${asked}\n${demo}`);
    const printed = text.slice(text.lastIndexOf("\nThe platform answers") + 1);
    const address = /:443:([\d.]+):443/.exec(printed)?.[1] ?? "none";
    const expected = reported.replaceAll("10.77.1.2", address).replace("exec demo", `exec ${HOST}`).trim().split("\n");
    if (!fits(expected, printed)) expect(printed).toBe(expected.join("\n"));
    const line = (name: string) => new RegExp(`^ *${name} {2,}(.*?)( {2,}|$)`, "m").exec(printed)?.[1] ?? "false";
    const plan = await operator.types(`${asked}\n${line("see a plan")}`);
    expect(plan).toContain("+      work_mem: 16MB");
    expect(plan).toContain("### Plan for demo: 1 file, 1 reload, 0 restarts, no data touched");
    expect(await operator.types(`${asked}\n${line("see a plan")}`), "nothing was applied").toContain(
      "+work_mem = '16MB'",
    );
    expect(await operator.types(`${line("look at it")} --fail --silent`)).toContain("stand-in");
    expect(await operator.types(`${line("look around")} systemctl is-active authentik-pod`)).toBe("active\n");
    // The disk was cleaned up, and the state was not.
    await operator.types(`test/lab/lab down ${HOST}`);
    const again = await operator.types(`${asked}\n${demo}`);
    expect(again).toContain("The platform answers at");
    expect(await operator.types(`${line("look around")} systemctl is-active authentik-pod`)).toBe("active\n");
  } finally {
    await operator.types(`${asked}\nmake demo-down`);
    expect(await operator.types("test/lab/lab list")).not.toContain(HOST);
    operator.remove();
  }
});
