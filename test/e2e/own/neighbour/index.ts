// Resources of another team on the platform's host: a group, an account, and two services.
import * as pulumi from "@pulumi/pulumi";
import type { Connection } from "../../../../components/connection/connection.ts";
import { inspect } from "../../../../components/connection/inspect.ts";
import { debian } from "../../../../components/distribution/debian.ts";
import { Account } from "../../../../components/host/account.ts";
import { Group } from "../../../../components/host/group.ts";
import { Host } from "../../../../components/host/host.ts";
import { Release } from "../../../../components/host/release.ts";
import type { Manifest } from "../../../../protocol/manifest.ts";

// The platform's own namespace, so that tests write both configurations in the same way.
const config = new pulumi.Config("gatehouse");
const { address, hostKey } = config.requireObject<Pick<Connection, "address" | "hostKey">>("host");
const privateKey = config.requireSecret("sshKey");
const connection = { address, hostKey, privateKey, port: 22, user: "root", sudo: false };
const expectations = { platform: debian, gids: {} };
const host = new Host("host", { connection, ...expectations, facts: await inspect(connection, expectations, "on") });

const group = new Group("neighbour", { host });
const account = new Account("neighbour-app", { host, home: "/nonexistent", groups: [group] });

for (const name of ["neighbour-one", "neighbour-two"]) {
  const unit = `${name}.service`;
  const service = `[Unit]
Description=${name}
[Service]
User=${account.accountName}
ExecStart=/bin/sh -c 'cat /etc/${name}.conf; exec sleep infinity'
[Install]
WantedBy=multi-user.target
`;
  const manifest: Manifest = {
    files: [
      { path: `/etc/${name}.conf`, mode: "0640", owner: "root:neighbour", content: `${name}\n`, restarts: [unit] },
      { path: `/etc/systemd/system/${unit}`, mode: "0644", owner: "root:root", content: service, restarts: [unit] },
    ],
    units: [{ name: unit, enabled: true }],
  };
  new Release(name, { host, manifest }, { dependsOn: account });
}

/** Releases that claim resources of other owners. */
for (const [name, manifest] of Object.entries(config.getObject<Record<string, Manifest>>("claims") ?? {}))
  new Release(name, { host, manifest });
