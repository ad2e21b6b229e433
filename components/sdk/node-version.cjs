// Loaded before the program, by Pulumi.yaml and the npm scripts, and written for any Node: an older one cannot load the
// .ts files, and its own error does not name the cause.
const { engines } = require("../../package.json");

const [major, minor] = process.versions.node.split(".").map(Number);
const [leastMajor, leastMinor] = /(\d+)\.(\d+)/.exec(engines.node).slice(1).map(Number);
if (major < leastMajor || (major === leastMajor && minor < leastMinor)) {
  console.error(
    `gatehouse needs Node ${leastMajor}.${leastMinor} or newer, and this is Node ${process.versions.node} (${process.execPath}): install a newer one, and put it first on PATH (\`node --version\`)`,
  );
  process.exit(1);
}
