// The plugin that PulumiPlugin.yaml announces. Pulumi loads it by `require` and calls it; the package itself is an ES
// module. A packed package has no sources, and Node does not strip their types below node_modules.
const { existsSync } = require("node:fs");
const { join } = require("node:path");

const source = join(__dirname, "components/plugin/serve.ts");
const compiled = join(__dirname, "dist/components/plugin/serve.js");
module.exports = () => import(existsSync(source) ? source : compiled);
