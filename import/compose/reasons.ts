// Keys of a service that are left out, or have no equivalent, each with the reason.

export const MOOT: Record<string, string> = {
  depends_on: "containers start together, and one that ends too early is started again",
  expose: "containers of an app reach each other at every port",
  pull_policy: "an image is pulled if it is missing",
  user: "containers run as the account of the app",
  develop: "is for a developer's machine",
  attach: "is for a terminal",
  cap_drop: "containers have no capability that was not added",
};

export const LOST: Record<string, string> = {
  privileged: "a privileged container is root on the host: add the capabilities and devices that it needs",
  extends: "run `docker compose config`, and import its output",
  pid: "containers have their own processes",
  ipc: "containers have their own /dev/shm",
  userns_mode: "containers run as the account of the app",
  group_add: "the account of the app has the groups of its sockets only",
  device_cgroup_rules: "name each device instead",
  gpus: "GPUs need a driver's own hook: add the device files in quadlet.AddDevice",
  runtime: "containers run with Podman's runtime",
  mac_address: "networks of apps give addresses by themselves",
  cgroup_parent: "containers run in system.slice",
};
