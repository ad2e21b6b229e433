import { describe, expect, test } from "vitest";
import { appSettings } from "../../components/app/schema.ts";

const web = { image: "docker.io/library/web:1.2", port: 8080 };
const DIGEST = `@sha256:${"0".repeat(64)}`;

/** What is told, one sentence each; empty when nothing is wrong. */
function faults(wishes: object, name = "wiki"): string[] {
  try {
    appSettings(name, { containers: { web }, ...wishes });
    return [];
  } catch (error) {
    const [first, ...lines] = (error as Error).message.split("\n");
    expect(first).toBe(`App ${name} is not accepted; nothing of it was done:`);
    return lines.map((line) => line.trim());
  }
}
const container = (more: object) => faults({ containers: { web: { ...web, ...more } } });

test("the least that an app needs is a container with its image", () => {
  expect(appSettings("wiki", { containers: { web: { image: web.image } } })).toEqual({
    containers: { web: { image: web.image, command: [], environment: {}, secrets: {}, volumes: {} } },
    deadline: 120,
    purge: false,
  });
});

describe("a name", () => {
  test.each([
    ["postgres", "postgres is an account of the system's or the platform's; choose another name"],
    ["root", "root is an account of the system's or the platform's; choose another name"],
    ["systemd-network", "systemd-network is an account of the system's or the platform's; choose another name"],
    [
      "wiki-valkey",
      "wiki-valkey ends like a part of another app (claim, secrets, postgres, valkey, site); choose another name",
    ],
    ["a".repeat(25), `expected at most 24 characters, got "${"a".repeat(25)}"`],
    ["Wiki", 'expected a name of lower-case letters, digits and -, at most 31 long, got "Wiki"'],
  ])("such as %s is refused", (name, told) => {
    expect(faults({}, name)).toEqual([`name: ${told}`]);
  });

  test.each(["wiki", "valkey-ui", "a".repeat(24)])("such as %s is accepted", (name) => {
    expect(faults({}, name)).toEqual([]);
  });
});

describe("an image", () => {
  test.each(["web:1", "library/web:1", "docker.io/library/Web:1", "docker.io/web:1 --privileged"])(
    "such as %s is refused: not a reference with its registry",
    (image) => {
      expect(container({ image })).toEqual([
        `containers.web.image: expected an image with its registry such as docker.io/grafana/grafana:12.3.0, got "${image}"`,
      ]);
    },
  );

  test.each(["docker.io/library/web", "docker.io/library/web:latest", "registry:5000/web"])(
    "such as %s is refused: nobody knows which it is",
    (image) => {
      expect(container({ image })).toEqual([
        `containers.web.image: ${image} is another image every day: give it a version or a digest`,
      ]);
    },
  );

  test.each([
    "docker.io/library/web:1.2",
    `docker.io/library/web${DIGEST}`,
    `docker.io/library/web:latest${DIGEST}`,
    "localhost:5000/web:1",
    "localhost/web:1",
    "registry:5000/team/web:1",
  ])("such as %s is accepted", (image) => {
    expect(container({ image })).toEqual([]);
  });
});

test.each([
  [
    { volumes: { data: "data" } },
    'volumes.data: expected a folder in the container such as /var/lib/grafana, got "data"',
  ],
  [
    { volumes: { "/a/../b": "data" } },
    'volumes./a/../b: expected a folder in the container such as /var/lib/grafana, got "/a/../b"',
  ],
  [
    { volumes: { "/a": "../b" } },
    'volumes./a: expected a name of lower-case letters, digits and -, at most 31 long, got "../b"',
  ],
  [{ secrets: { "../a": "x" } }, 'secrets.../a: expected a file name of letters, digits, _, . and -, got "../a"'],
  [{ environment: { "A B": "x" } }, 'environment.A B: expected the name of a variable, got "A B"'],
  [{ health: "curl" }, 'health: expected a command as a list of words, or { http: "/path" }, got "curl"'],
  [{ privileged: true }, "privileged: there is no such key"],
  [{ publish: 99999 }, "publish: expected a port from 1 to 65535, got 99999"],
  [{ port: undefined, health: { http: "/" } }, "health: is asked over HTTP and needs the container's port"],
  [{ port: 80 }, "port: 80 needs a right that no app has: let it listen from 1024 on"],
  [{ port: undefined, publish: 80 }, "publish: says nothing without the port inside the container"],
])("of a container, %j is refused", (more, told) => {
  expect(container(more)).toEqual([`containers.web.${told}`]);
});

test.each([
  [{ containers: {} }, "containers: an app has at least one container"],
  [
    { containers: { pod: web } },
    "containers.pod: pod is what Podman calls a unit of the app's own; choose another name",
  ],
  [{ containers: { web, api: { ...web, publish: 8081 } } }, "containers.api.port: web listens at 8080 already"],
  [
    { containers: { web, api: { ...web, port: 8081, publish: 8080 } } },
    "containers.api.publish: web publishes 8080 already",
  ],
  [{ site: { domain: "wiki.example.org", port: 81 } }, "site.port: no container publishes 81; published are 8080"],
  [{ valkey: { maxmemory: "lots" } }, 'valkey.maxmemory: expected a size such as 64mb, got "lots"'],
])("of an app, %j is refused", (wishes, told) => {
  expect(faults(wishes)).toEqual([told]);
});

test("everything that is wrong is told at once", () => {
  const wishes = { containers: { web: { image: "web" } }, deadline: 1, site: { domain: "x", port: 8080 } };
  expect(faults(wishes, "root")).toHaveLength(5);
});
