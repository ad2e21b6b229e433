"""A read-only image registry inside a lab: answers the requests of `podman pull` from an OCI image layout.

usage: registry.py FOLDER - serves the images of the layout in FOLDER on 127.0.0.1:5000; those below private/ need a
login as lab with the password in FOLDER/password, or "correct horse" if there is none
"""
import base64
import json
import re
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

LAYOUT = Path(sys.argv[1])
ANONYMOUS = "Basic Og=="  # sent by Podman without a login
TAG = "org.opencontainers.image.ref.name"


class Registry(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        # Every client starts at /v2/, where it learns how to log in.
        if not self.logged_in() and (self.path == "/v2/" or self.path.startswith("/v2/private/") or self.headers["Authorization"] not in (None, ANONYMOUS)):
            return self.reply(401, "application/json", b'{"errors":[{"code":"UNAUTHORIZED"}]}')
        if self.path == "/v2/":
            return self.reply(200, "application/json", b"{}")
        found = re.fullmatch(r"/v2/([\w./-]+)/(manifests|blobs)/([\w.:-]+)", self.path)
        digest = found and self.digest(*found.groups())
        blob = LAYOUT / "blobs" / digest.replace(":", "/") if digest else None
        if not blob or not blob.exists():
            return self.reply(404, "application/json", b'{"errors":[{"code":"NOT_FOUND"}]}')
        kind = "application/vnd.oci.image.manifest.v1+json" if found[2] == "manifests" else "application/octet-stream"
        self.reply(200, kind, blob.read_bytes(), digest)

    do_HEAD = do_GET

    def logged_in(self) -> bool:
        password = LAYOUT / "password"
        login = f"lab:{password.read_text() if password.exists() else 'correct horse'}"
        return self.headers["Authorization"] == f"Basic {base64.b64encode(login.encode()).decode()}"

    def digest(self, name: str, kind: str, reference: str) -> str | None:
        if reference.startswith("sha256:") or kind == "blobs":
            return reference
        index = json.loads((LAYOUT / "index.json").read_text())
        return {m["annotations"][TAG]: m["digest"] for m in index["manifests"]}.get(f"localhost:5000/{name}:{reference}")

    def reply(self, status: int, kind: str, body: bytes, digest: str | None = None) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        if status == 401:
            self.send_header("WWW-Authenticate", 'Basic realm="lab"')
        if digest:
            self.send_header("Docker-Content-Digest", digest)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)


ThreadingHTTPServer(("127.0.0.1", 5000), Registry).serve_forever()
