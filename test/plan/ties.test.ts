import { describe, expect, test } from "vitest";
import { propagated, tiesOf } from "../../plan/predict/ties.ts";
import { values } from "../../plan/predict/unitfile.ts";

const unit = (name: string, content: string) => ({ path: `/etc/systemd/system/${name}`, content });
const quadlet = (name: string, content: string) => ({ path: `/etc/containers/systemd/${name}`, content });

describe("a unit is tied to another one", () => {
  test.each([
    ["PartOf", "part of"],
    ["BindsTo", "bound to"],
    ["Requires", "requires"],
  ])("that %s= names", (key, how) => {
    expect(tiesOf([unit("a.service", `[Unit]\n${key}=b.service c.service\n`)])).toEqual([
      { unit: "a.service", with: "b.service", how },
      { unit: "a.service", with: "c.service", how },
    ]);
  });

  test("that a drop-in names", () => {
    expect(tiesOf([unit("a@1.service.d/x.conf", "[Unit]\nPartOf=b.service\n")])).toEqual([
      { unit: "a@1.service", with: "b.service", how: "part of" },
    ]);
  });

  test("that is its pod, also if the unit has a configured name", () => {
    expect(tiesOf([quadlet("app.container", "[Container]\nPod=app.pod\n")])).toEqual([
      { unit: "app.service", with: "app-pod.service", how: "a container of" },
    ]);
    const chosen = [
      quadlet("app.container", "[Container]\nServiceName=web\nPod=app.pod\n"),
      quadlet("app.pod", "[Pod]\nServiceName=all\n"),
    ];
    expect(tiesOf(chosen)).toEqual([{ unit: "web.service", with: "all.service", how: "a container of" }]);
  });

  test("that is the unit of a Quadlet, by the name of the Quadlet", () => {
    expect(tiesOf([quadlet("app.container", "[Unit]\nRequires=data.container\n")])).toEqual([
      { unit: "app.service", with: "data.service", how: "requires" },
    ]);
  });

  test.each([
    "Wants=b.service",
    "After=b.service",
    "[Install]\nWantedBy=b.service",
    "[Service]\nPartOf=b.service",
    "# PartOf=b.service",
  ])("but not for %j", (lines) => {
    expect(tiesOf([unit("a.service", `[Unit]\n${lines}\n`)])).toEqual([]);
  });

  test("but not by text in any other file", () => {
    expect(tiesOf([{ path: "/etc/caddy/a.service", content: "[Unit]\nPartOf=b.service\n" }])).toEqual([]);
  });
});

test("a key is read in its section, an empty value resets it, and a line may be continued", () => {
  const content = "[A]\nKey=0\n[B]\nKey = 1\nKey=\nKey=2 \\\n  3\nKey=4\n";
  expect(values(content, "B", "Key")).toEqual(["2    3", "4"]);
});

describe("an effect on a unit propagates to tied units,", () => {
  const files = [
    unit("a.service", "[Unit]\nBindsTo=b.service\n"),
    unit("b.service", "[Unit]\nPartOf=c.service\n"),
    unit("c.service", "[Unit]\nRequires=a.service\n"),
  ];
  const all = new Set(["a.service", "b.service", "c.service"]);
  const direct = (verb: "restart" | "stop" | "start" | "reload") => [{ unit: "c.service", verb, reason: "" }];
  const none = { before: [], after: [] };

  test("over any number of ties, and only once in a cycle", () => {
    expect(propagated(direct("restart"), { ...none, after: files }, all)).toEqual([
      { unit: "b.service", verb: "restart", reason: "part of c.service" },
      { unit: "a.service", verb: "restart", reason: "bound to b.service" },
      { unit: "c.service", verb: "restart", reason: "requires a.service" },
    ]);
  });

  test("but not to units that are not running, nor further from those", () => {
    expect(propagated(direct("restart"), { ...none, after: files }, new Set(["a.service", "c.service"]))).toEqual([]);
  });

  test("for a restart by the new unit files, for a stop by the old ones, not for a start or a reload", () => {
    expect(propagated(direct("restart"), { ...none, before: files }, all)).toEqual([]);
    expect(propagated(direct("stop"), { ...none, before: files }, all)).toHaveLength(3);
    for (const verb of ["start", "reload"] as const)
      expect(propagated(direct(verb), { before: files, after: files }, all)).toEqual([]);
  });
});
