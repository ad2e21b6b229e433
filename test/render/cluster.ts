import { doorManifest } from "../../components/cluster/door-manifest.ts";
import { etcdManifest } from "../../components/cluster/etcd.ts";
import { asMember, type ClusterView, inCluster } from "../../components/cluster/members.ts";
import { clusterSettingsManifest, memberManifest } from "../../components/cluster/patroni.ts";
import { debian } from "../../components/distribution/debian.ts";
import { clusterManifest, databasesManifest } from "../../components/postgres/manifest.ts";
import { postgresSchema } from "../../components/postgres/schema.ts";

const MEMBERS = ["a", "b", "c"].map((name, index) => ({
  name,
  address: `10.0.0.${11 + index}`,
  certificate: `-----BEGIN CERTIFICATE-----\nof ${name}\n-----END CERTIFICATE-----\n`,
}));

/** The cluster as host `b` sees it. */
export const VIEW: ClusterView = { own: MEMBERS[1] as (typeof MEMBERS)[number], members: MEMBERS };

const OPTIONS = postgresSchema.parse({
  settings: { work_mem: "8MB" },
  databases: { authentik: {}, grafana: { clients: ["reporting"] } },
});

/** The manifests of PostgreSQL on one of three hosts. */
export function partsOfMember() {
  const { postgres } = inCluster(
    debian,
    MEMBERS.map(({ address }) => address),
  );
  return {
    etcd: etcdManifest(VIEW),
    none: clusterManifest(asMember(postgres, VIEW)) ?? {},
    member: memberManifest(postgres, VIEW, OPTIONS),
    settings: clusterSettingsManifest(postgres, ["c"]),
    databases: databasesManifest(postgres, OPTIONS),
    door: doorManifest(postgres, "postgres-clients", VIEW, ["authentik", "grafana", "reporting"]),
  };
}
