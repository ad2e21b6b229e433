import { describe, expect, test } from "vitest";
import { imported, lines } from "./files.ts";

const WEB = `[Unit]
Description=Wiki
After=wiki-db.service

[Container]
Image=docker.io/library/wiki:3.1
ContainerName=wiki
Network=wiki.network
Volume=pages.volume:/srv/pages:Z
Volume=/mnt/photos:/photos:ro
PublishPort=127.0.0.1:8080:80
Environment=TZ=Europe/Berlin "TITLE=Our wiki"
Secret=wiki-token,type=env,target=TOKEN
Secret=mail
AddCapability=NET_RAW SYS_NICE
HealthCmd=curl -f http://localhost/
UserNS=keep-id
AutoUpdate=registry
PodmanArgs=--memory=512m --privileged

[Service]
Restart=always
MemoryMax=1G
ExecStartPre=/usr/bin/true

[Install]
WantedBy=default.target
`;
const DB = "[Container]\nImage=docker.io/library/postgres:17\nNetwork=wiki.network:alias=database\n";
const FILES = {
  "wiki.container": WEB,
  "wiki-db.container": DB,
  "wiki.network": "[Network]\nSubnet=10.1.0.0/24\n",
  "pages.volume": "[Volume]\nDevice=/dev/sdb1\n",
};

describe("Quadlets that share a network", () => {
  const result = imported;

  test("are one app", () => {
    expect(result(FILES).apps).toEqual({
      wiki: {
        containers: {
          wiki: {
            image: "docker.io/library/wiki:3.1",
            volumes: { "/srv/pages": "pages", "/photos": { host: "/mnt/photos", readOnly: true } },
            port: 80,
            publish: 8080,
            environment: { TZ: "Europe/Berlin", TITLE: "Our wiki" },
            secretEnvironment: { TOKEN: "configured" },
            secrets: { mail: "configured" },
            health: ["sh", "-c", "curl -f http://localhost/"],
            memory: "1g",
            quadlet: {
              AddCapability: ["NET_RAW", "SYS_NICE"],
              AddHost: ["wiki", "systemd-wiki", "wiki-db", "systemd-wiki-db", "database"].map(
                (name) => `${name}:127.0.0.1`,
              ),
            },
          },
          "wiki-db": { image: "docker.io/library/postgres:17" },
        },
      },
    });
  });

  test("have each thing that is not carried over with its line", () => {
    expect(lines(result(FILES), "lost")).toEqual([
      "pages.volume:2 Device=/dev/sdb1: mount the device or share on the host, and use its path as { host: PATH }",
      "wiki.container:19 wiki: PodmanArgs --privileged: options of Podman are the platform's",
      "wiki.container:24 wiki: Service.ExecStartPre: commands and settings around the container are the platform's",
    ]);
    expect(lines(result(FILES), "changed")).toContain(
      "wiki.container:18 wiki: AutoUpdate: an image changes with its version in the configuration",
    );
    expect(lines(result(FILES), "moot")).toEqual(
      expect.arrayContaining([
        expect.stringMatching(/^wiki\.container:17 wiki: UserNS: containers run as the account of the app/),
        expect.stringMatching(/^wiki\.network:2 Subnet=/),
      ]),
    );
  });
});

test("Quadlets without a common network or pod are an app each", () => {
  const { apps } = imported({
    "a.container": "[Container]\nImage=a.example.org/a:1\n",
    "b.container": "[Container]\nImage=b.example.org/b:1\n",
  });
  expect(Object.keys(apps)).toEqual(["a", "b"]);
});

test("two apps of one name are not silently one", () => {
  const text = "[Container]\nImage=a.example.org/a:1\n";
  const result = imported({ "a-b.container": text, "a_b.container": text });
  expect(Object.keys(result.apps)).toEqual(["a-b"]);
  expect(lines(result, "lost")).toEqual([
    "a_b.container:1 a_b: name: another app has the name a-b: import it alone, with --name",
  ]);
});

test("a pod's ports are those of the app", () => {
  const { apps } = imported({
    "media.pod": "[Pod]\nPodName=media\nPublishPort=127.0.0.1:8096:8096\n",
    "player.container": "[Container]\nImage=a.example.org/player:1\nPod=media.pod\n",
    "index.container": "[Container]\nImage=a.example.org/index:1\nPod=media.pod\n",
  });
  expect(Object.keys(apps)).toEqual(["media"]);
  expect(Object.values(apps.media?.containers ?? {}).flatMap(({ port }) => port ?? [])).toEqual([8096]);
});

test("lines that continue, and comments between them, are one key", () => {
  const text =
    "[Container]\nImage=a.example.org/a:1\nExec=serve \\\n# not this\n  --port 80 \\\n  --verbose\nNonsense=1\n";
  const result = imported({ "a.container": text });
  expect(result.apps.a?.containers.a?.command).toEqual(["serve", "--port", "80", "--verbose"]);
  expect(lines(result, "lost")).toEqual(["a.container:7 a: Container.Nonsense: has no equivalent"]);
});

/** Keys of [Container] in podman-systemd.unit(5). */
const KEYS =
  "AddCapability AddDevice AddHost Annotation AppArmor AutoUpdate CgroupsMode ContainerName ContainersConfModule DNS DNSOption DNSSearch DropCapability Entrypoint Environment EnvironmentFile EnvironmentHost Exec ExposeHostPort GIDMap GlobalArgs Group GroupAdd HealthCmd HealthInterval HealthLogDestination HealthMaxLogCount HealthMaxLogSize HealthOnFailure HealthRetries HealthStartPeriod HealthStartupCmd HealthStartupInterval HealthStartupRetries HealthStartupSuccess HealthStartupTimeout HealthTimeout HostName HttpProxy IP IP6 Label LogDriver LogOpt Mask Memory Mount Network NetworkAlias NoNewPrivileges Notify PidsLimit Pod PodmanArgs PublishPort Pull ReadOnly ReadOnlyTmpfs ReloadCmd ReloadSignal Retry RetryDelay Rootfs RunInit SeccompProfile Secret SecurityLabelDisable SecurityLabelFileType SecurityLabelLevel SecurityLabelNested SecurityLabelType ShmSize StartWithPod StopSignal StopTimeout SubGIDMap SubUIDMap Sysctl Timezone Tmpfs UIDMap Ulimit Unmask User UserNS Volume WorkingDir";

test.each(KEYS.split(" "))("%s is never dropped in silence", (key) => {
  const result = imported({ "a.container": `[Container]\nImage=a.example.org/a:1\n${key}=a=1\n` });
  const kept = JSON.stringify(result.apps.a) !== '{"containers":{"a":{"image":"a.example.org/a:1"}}}';
  expect(kept || (["lost", "changed", "moot"] as const).some((kind) => lines(result, kind).length > 0)).toBe(true);
});
