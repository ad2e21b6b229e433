// Who may import whom, as data, held by `npm run imports`. docs/architecture.md draws it.

const SERVICES = ["authentik", "backup", "caddy", "postgres", "registries", "valkey"];

/** Each room with those that it may import: these are above it, so no rooms form a circle. */
const ROOMS = {
  "components/schema": [],
  protocol: [],
  "components/sdk": ["protocol"],
  "components/distribution": [],
  "components/render": [],
  "components/quadlet": [],
  "components/postgres-client": ["protocol", ...components("distribution")],
  "components/connection": ["protocol", ...components("schema", "sdk", "distribution", "render")],
  "components/host": ["protocol", ...components("schema", "sdk", "distribution", "render", "connection")],
  "components/site": ["protocol", ...components("distribution", "render")],
  ...Object.fromEntries(
    components(...SERVICES, "app").map((room) => [
      room,
      [
        "protocol",
        ...components("schema", "sdk", "distribution", "render", "quadlet", "postgres-client", "host", "site"),
      ],
    ]),
  ),
  // PostgreSQL on several hosts: what is around the server of components/postgres.
  "components/cluster": [
    "protocol",
    ...components("schema", "sdk", "distribution", "render", "postgres-client", "host", "postgres"),
  ],
  "components/config": ["protocol", ...components("schema", "sdk", "distribution", "connection", ...SERVICES, "app")],
  "components/platform": components("schema", "sdk", "host", "cluster", ...SERVICES),
  "components/gatehouse": [
    "protocol",
    ...components(
      "schema",
      "sdk",
      "distribution",
      "connection",
      "host",
      "config",
      "platform",
      "cluster",
      ...SERVICES,
      "app",
    ),
  ],
  "components/plugin": components("schema", "sdk", "config", "platform", "gatehouse", "registries"),
  "plan/read": ["protocol", ...components("sdk")],
  "plan/predict": ["protocol", "plan/read", ...components("quadlet")],
  "plan/report": ["protocol", "plan/read", "plan/predict", ...components("quadlet")],
  "plan/render": ["protocol", "plan/predict", "plan/report", ...components("render")],
  "plan/cli": ["protocol", "plan/read", "plan/render", "plan/report", ...components("render")],
  policy: ["protocol"],
  import: ["policy", ...components("schema", "render", "app")],
};

/** Packages that one room alone uses. */
const PACKAGES = [
  ["@pulumi/command", components("host"), "Only components/host runs commands on a host; ask for a Release there."],
  ["ssh2", components("connection"), "Only components/connection connects to a host."],
  ["@pulumi/random", components(...SERVICES, "app"), "Only a service or an app generates its secrets."],
  [
    "@pulumi/pulumi/(?!automation/|index\\.js)[^/]+/",
    components("sdk"),
    "Only components/sdk leans on private parts of the SDK; test/unit/sdk.test.ts tries each of them.",
  ],
];

/** What is run, or read from outside. */
const ENTRIES =
  "^(index|components/(library|config/write-schema|plugin/serve|sdk/(node-version|deferred))|plan/cli/(plan|drift)|import/cli|policy/index)\\.c?[jt]s$";
/** What knows no Output. */
const PURE = [
  ...inside("protocol", ...components("schema", "distribution", "render", "quadlet", "postgres-client", "site")),
  ...inside("plan/predict", "plan/report", "plan/render"),
  "/manifest\\.ts$",
];
const OURS = "^(index\\.ts$|(components|import|protocol|plan|policy|test)/)";

function components(...names) {
  return names.map((name) => `components/${name}`);
}
function inside(...rooms) {
  return rooms.map((room) => `^${room}/`);
}

const rules = {
  ...Object.fromEntries(
    Object.entries(ROOMS).map(([room, others]) => [
      room,
      {
        comment: `${room} imports ${others.join(", ") || "no other room"}. Services meet in components/gatehouse alone.`,
        from: { path: inside(room) },
        to: { path: OURS, pathNot: inside(room, ...others) },
      },
    ]),
  ),
  ...Object.fromEntries(
    PACKAGES.map(([path, rooms, comment]) => [
      path.replace(/\/\(.*/, "'s private parts"),
      { comment, from: { pathNot: inside(...rooms) }, to: { path: `node_modules/${path}` } },
    ]),
  ),
  "a room of the list": {
    comment: "A new room says in .dependency-cruiser.mjs what it imports.",
    from: { path: "^(components|plan)/[^/]+/", pathNot: inside(...Object.keys(ROOMS)) },
    to: {},
  },
  pure: {
    comment: "A pure function of plain values knows no Output; its caller lifts them.",
    from: { path: PURE },
    to: { path: "node_modules/@pulumi/" },
  },
  "the plan is not read": {
    comment: "The plan reads what the program sends; the program does not read the plan.",
    from: { pathNot: "^plan/" },
    to: { path: "^plan/" },
  },
  "no circle": {
    comment: "Two files that import each other, also for a type alone, cannot be understood one by one.",
    from: {},
    to: { circular: true },
  },
  "no circle of folders": {
    comment: "Imports between rooms point one way.",
    scope: "folder",
    from: {},
    to: { circular: true },
  },
  "no orphan": {
    comment: "Nothing that runs reaches this file.",
    from: { path: ENTRIES },
    to: { path: OURS, pathNot: ENTRIES, reachable: false },
  },
  resolved: { comment: "There is no such file or package.", from: {}, to: { couldNotResolve: true } },
  "installed with the package": {
    comment: "What runs for a user of the package is among the dependencies, and not among those of development.",
    from: { pathNot: "^(import|policy)/" },
    to: { dependencyTypes: ["npm-dev", "npm-no-pkg", "npm-unknown"] },
  },
};

export default {
  forbidden: Object.entries(rules).map(([name, rule]) => ({ name, severity: "error", ...rule })),
  options: {
    doNotFollow: "node_modules",
    // TypeScript 7 has no API for it, and an older `typescript` would be loaded by the SDK.
    parser: "swc",
    enhancedResolveOptions: { exportsFields: ["exports"], conditionNames: ["import", "require", "node", "default"] },
  },
};
