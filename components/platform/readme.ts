import { ADMINISTRATOR } from "../authentik/administrator.ts";

interface Facts {
  stack: string;
  hosts: readonly { address: string; user: string }[];
  authentik: { url: string };
  /** The place of the backup repository. @default - the stack has no backups */
  repository: string | undefined;
}

/** Overview that Pulumi's console and `pulumi stack output readme` show. */
export const readmeOf = ({ stack, hosts, authentik, repository }: Facts): string => `# gatehouse, stack ${stack}

authentik is at ${authentik.url}. The first user is ${ADMINISTRATOR}; its initial password:
\`pulumi stack output administrator --show-secrets --stack ${stack}\`

On ${hosts.length === 1 ? "the host" : "each host"}, ${hosts.map(({ user, address }) => `${user}@${address}`).join(", ")}, as root:

- \`gatehouse status\`: the current state of each release, its units and its probes
- \`gatehouse verify\`: the drift of the host
- \`journalctl --unit authentik-server\`; \`systemctl restart authentik-pod\`

Here, in a checkout of gatehouse:

- \`npm run plan -- --stack ${stack}\`: what an \`up\` would do
- \`pulumi stack output platform --stack ${stack}\`: sockets, groups and units, for other stacks
- \`pulumi stack output logins --show-secrets --stack ${stack}\`: passwords of the PostgreSQL roles and URLs of the Valkey users

${backups(stack, repository)}

\`pulumi destroy --stack ${stack}\` stops the services and keeps all data, secrets and backups. It ends with a list of what
stays on the host, each with the command that deletes it.

Upgrades and troubleshooting: docs/authentik-deployment-guide.md. Every key: docs/configuration.md.
`;

const backups = (stack: string, repository: string | undefined): string =>
  repository === undefined
    ? `There are no backups: the configuration has no \`gatehouse:backup\`. How to set them up: docs/backup-and-restore.md.`
    : `Backups are in ${repository}. On the host: \`gatehouse backups\` lists them, \`gatehouse backup\` takes one, and
\`gatehouse restore --to latest --dry-run\` shows what a restore would do. A restore on another host needs the passphrase:
store this output away from both the host and the state.
\`pulumi stack output recovery --show-secrets --stack ${stack}\``;
