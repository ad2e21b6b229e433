import { ADMINISTRATOR } from "../authentik/administrator.ts";

interface Facts {
  stack: string;
  host: { address: string; user: string };
  authentik: { url: string };
}

/** Overview that Pulumi's console and `pulumi stack output readme` show. */
export const readmeOf = ({ stack, host, authentik }: Facts): string => `# gatehouse, stack ${stack}

authentik is at ${authentik.url}. The first user is ${ADMINISTRATOR}; its initial password:
\`pulumi stack output administrator --show-secrets --stack ${stack}\`

On the host, ${host.user}@${host.address}, as root:

- \`gatehouse status\`: the current state of each release, its units and its probes
- \`gatehouse verify\`: the drift of the host
- \`journalctl --unit authentik-server\`; \`systemctl restart authentik-pod\`

Here, in a checkout of gatehouse:

- \`npm run plan -- --stack ${stack}\`: what an \`up\` would do
- \`pulumi stack output platform --stack ${stack}\`: sockets, groups and units, for other stacks
- \`pulumi stack output logins --show-secrets --stack ${stack}\`: passwords of the PostgreSQL roles and URLs of the Valkey users

Upgrades and troubleshooting: docs/authentik-deployment-guide.md. Every key: docs/configuration.md.
`;
