"""Images for `podman pull` in a lab: an OCI image layout on the lab's own disk, served by a small registry there."""
import hashlib
import json
import os
import platform
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
LAB_HOME = Path(os.environ.get("LAB_HOME", "/var/tmp/lab"))
FOLDER = "registry"  # below /var/lib/containers in the lab
OCI = "application/vnd.oci.image"
NAME = "org.opencontainers.image.ref.name"

# Podman may use this registry without TLS.
SERVE = f"""
mkdir -p /etc/containers/registries.conf.d
printf '[[registry]]\\nlocation = "localhost:5000"\\ninsecure = true\\n' >/etc/containers/registries.conf.d/lab.conf
printf '[Service]\\nExecStart=python3 /var/lib/containers/{FOLDER}/registry.py /var/lib/containers/{FOLDER}\\n[Install]\\nWantedBy=multi-user.target\\n' >/etc/systemd/system/lab-registry.service
systemctl --quiet enable --now lab-registry
"""


class Images:
    """The images of a lab. Layers are stored once, even if several images share them."""

    def __init__(self, lab: str) -> None:
        containers = LAB_HOME / "labs" / lab / "containers"
        if not containers.is_dir():
            sys.exit(f"load: no lab '{lab}'; create it with: lab up {lab}")
        self.lab, self.path = lab, containers / FOLDER
        self.blobs = self.path / "blobs" / "sha256"
        self.blobs.mkdir(parents=True, exist_ok=True)
        index = self.path / "index.json"
        self.manifests = json.loads(index.read_text())["manifests"] if index.exists() else []

    def blob(self, kind: str, content: bytes | Path) -> dict:
        """Stores a blob and returns its descriptor; a file becomes a hard link."""
        if isinstance(content, Path):
            with content.open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
            size = content.stat().st_size
            if not (self.blobs / digest).exists():
                os.link(content, self.blobs / digest)
        else:
            digest, size = hashlib.sha256(content).hexdigest(), len(content)
            (self.blobs / digest).write_bytes(content)
        return {"mediaType": f"{OCI}.{kind}", "digest": f"sha256:{digest}", "size": size}

    def layer(self, tar: bytes | Path) -> dict:
        return self.blob("layer.v1.tar", tar)

    def add(self, name: str, layers: list[dict], config: dict) -> str:
        """Adds an image, which replaces an older one of the same name; returns its name with its digest."""
        document = {
            "architecture": {"x86_64": "amd64", "aarch64": "arm64"}[platform.machine()],
            "os": "linux",
            "created": "2025-01-01T00:00:00Z",
            "config": config,
            "rootfs": {"type": "layers", "diff_ids": [layer["digest"] for layer in layers]},
        }
        described = self.blob("config.v1+json", json.dumps(document).encode())
        manifest = {"schemaVersion": 2, "mediaType": f"{OCI}.manifest.v1+json", "config": described, "layers": layers}
        entry = self.blob("manifest.v1+json", json.dumps(manifest).encode())
        self.manifests = [other for other in self.manifests if other["annotations"][NAME] != name]
        self.manifests.append({**entry, "annotations": {NAME: name}})
        return f"{name}@{entry['digest']}"

    def serve(self) -> None:
        (self.path / "oci-layout").write_text(json.dumps({"imageLayoutVersion": "1.0.0"}))
        (self.path / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": self.manifests}))
        (self.path / "registry.py").write_bytes((HERE / "registry.py").read_bytes())
        if subprocess.run([HERE / "lab", "exec", self.lab, SERVE]).returncode:
            sys.exit(f"load: the registry does not start in lab '{self.lab}'")
