// A server at Hetzner Cloud. HCLOUD_TOKEN is the token of the project.
import * as hcloud from "@pulumi/hcloud";
import * as pulumi from "@pulumi/pulumi";
import * as tls from "@pulumi/tls";

/** The server, and how to connect to it. */
export function newServer(name: string) {
  const login = new tls.PrivateKey(`${name}-login`, { algorithm: "ED25519" });
  // The program chooses the host key, so that the first connection can verify it.
  const host = new tls.PrivateKey(`${name}-host`, { algorithm: "ED25519" });
  const sshKey = new hcloud.SshKey(name, { publicKey: login.publicKeyOpenssh });
  const resource = new hcloud.Server(name, {
    serverType: "cx33",
    image: "debian-13",
    location: "fsn1",
    sshKeys: [sshKey.id],
    // JSON is YAML. Every process on the server can read it at 169.254.169.254, so it contains nothing that opens
    // anything but this server.
    userData: pulumi.interpolate`#cloud-config
${pulumi.jsonStringify({
  ssh_keys: { ed25519_private: host.privateKeyOpenssh, ed25519_public: host.publicKeyOpenssh },
})}`,
  });
  const connection = {
    address: resource.ipv4Address,
    hostKey: host.publicKeyOpenssh.apply((line) => line.trim()),
    privateKey: login.privateKeyOpenssh,
  };
  return { resource, connection, authentik: {} };
}
