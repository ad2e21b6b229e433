// Keys of Quadlets that are left out, or have no equivalent, each with the reason.

export const MOOT: Record<string, string> = {
  ContainerName: "containers are named after the app",
  Pod: "several containers of an app are a pod",
  User: "containers run as the account of the app",
  Group: "containers run as the account of the app",
  UserNS: "containers run as the account of the app",
  UIDMap: "containers run as the account of the app",
  GIDMap: "containers run as the account of the app",
  SubUIDMap: "containers run as the account of the app",
  SubGIDMap: "containers run as the account of the app",
  NoNewPrivileges: "no container gains privileges",
  DropCapability: "containers have no capability that was not added",
  SecurityLabelDisable: "these hosts have no SELinux",
  SecurityLabelType: "these hosts have no SELinux",
  SecurityLabelNested: "these hosts have no SELinux",
  SecurityLabelLevel: "these hosts have no SELinux",
  SecurityLabelFileType: "these hosts have no SELinux",
  ExposeHostPort: "containers of an app reach each other at every port",
  Pull: "an image is pulled if it is missing",
  Retry: "an image is pulled before anything changes, and again by the next `up`",
  RetryDelay: "an image is pulled before anything changes, and again by the next `up`",
  Notify: "a container is ready once it is healthy",
  ServiceName: "units are named after the app",
  StartWithPod: "all containers of an app start",
  ...Object.fromEntries(
    ["Interval", "Timeout", "Retries", "StartPeriod", "OnFailure", "LogDestination", "MaxLogCount", "MaxLogSize"].map(
      (key) => [`Health${key}`, "the platform asks as often as its deadline requires"],
    ),
  ),
  ...Object.fromEntries(
    ["Cmd", "Interval", "Retries", "Success", "Timeout"].map((key) => [
      `HealthStartup${key}`,
      "the check at the start is that of `health`",
    ]),
  ),
};

export const LOST: Record<string, string> = {
  GroupAdd: "the account of the app has the groups of its sockets only",
  SeccompProfile: "the filters of Podman stay",
  AppArmor: "the profile of Podman stays",
  Unmask: "the masks of Podman stay",
  Mask: "the masks of Podman stay",
  Rootfs: "a container has an image",
  GlobalArgs: "options of Podman itself are the platform's",
  ContainersConfModule: "options of Podman itself are the platform's",
  CgroupsMode: "containers run in the group of their unit",
};

/** Keys of the sections around [Container]. */

export const AROUND: Record<string, Record<string, string>> = {
  Unit: {
    ...Object.fromEntries(
      [
        "After",
        "Before",
        "Requires",
        "Wants",
        "BindsTo",
        "PartOf",
        "Requisite",
        "Upholds",
        "Conflicts",
        "PropagatesStopTo",
      ].map((key) => [key, "units of an app start after the network and the stores, and try again"]),
    ),
    Description: "is the name of the app",
    Documentation: "is for readers",
    StartLimitIntervalSec: "a container that ends is started again",
    StartLimitInterval: "a container that ends is started again",
    StartLimitBurst: "a container that ends is started again",
    DefaultDependencies: "units of an app have the usual ones",
    RequiresMountsFor: "a container waits for the folders of the host that it has",
  },
  Service: {
    Restart: "a container that ends is started again",
    RestartSec: "a container that ends is started again",
    RestartSteps: "a container that ends is started again",
    RestartMaxDelaySec: "a container that ends is started again",
    TimeoutStartSec: "the start has the `deadline` of the app",
    TimeoutStopSec: "the end has the StopTimeout of the container",
    TimeoutSec: "the start has the `deadline` of the app",
    Slice: "containers run in system.slice",
    Type: "is decided by the platform",
    SuccessExitStatus: "is decided by the platform",
    Delegate: "is decided by the platform",
    KillMode: "is decided by the platform",
    SyslogIdentifier: "is the name of the unit",
    RemainAfterExit: "is decided by the platform",
  },
  Install: {
    WantedBy: "apps start at boot",
    RequiredBy: "apps start at boot",
    UpheldBy: "apps start at boot",
    Alias: "units are named after the app",
  },
  Quadlet: { DefaultDependencies: "units of an app have the usual ones" },
  Container: {},
};
export const AROUND_LOST: Record<string, string> = {
  Service: "commands and settings around the container are the platform's",
};
