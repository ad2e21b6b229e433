import { ADMINISTRATOR } from "../authentik/first.ts";

interface Facts {
  stack: string;
  host: { address: string; user: string };
  authentik: { url: string };
}

/** Overview that Pulumi's console and `pulumi stack output readme` show. */
export const readmeOf = ({ stack, host, authentik }: Facts): string => `# gatehouse, stack ${stack}

authentik answers at ${authentik.url}. The first login is that of ${ADMINISTRATOR}; its first password:
\`pulumi stack output administrator --show-secrets --stack ${stack}\`

On the host, ${host.user}@${host.address}, as root:

- \`gatehouse status\`: each release, its units, its probes now
- \`gatehouse verify\`: what differs from what was left
- \`journalctl --unit authentik-server\`; \`systemctl restart authentik-pod\`

Here, in a checkout of gatehouse:

- \`npm run plan -- --stack ${stack}\`: what an \`up\` would do
- \`pulumi stack output platform --stack ${stack}\`: sockets, groups and units, for other stacks
- \`pulumi stack output logins --show-secrets --stack ${stack}\`: passwords of roles and of Valkey's users

Upgrades, and what to do when something is wrong: docs/authentik-deployment-guide.md. Every key: docs/configuration.md.
`;
