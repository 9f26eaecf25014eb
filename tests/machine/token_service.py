"""A token service as Docker's registry v2 specification describes it, signing with RS256."""

from __future__ import annotations

import base64
import json
import threading
import time
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.x509 import load_pem_x509_certificate

from tests.machine.certificates import make_certificate

ISSUER = "pluginyard-tests"
SERVICE = "registry.test"
IDENTITY_TOKEN = "identity-token-of-the-tests"


class TokenService:
    """Grant everything to the user, `pull` to strangers, nothing to a wrong password."""

    def __init__(self, folder: Path, username: str, password: str):
        self.certificate, _, self._key = make_certificate(folder)
        self._basic = "Basic " + base64.b64encode(f"{username}:{password}".encode()).decode()
        self.lifetime = 300  # as said in the answer
        self.expires_in_truth = 300.0  # as signed in the token; docker-registry allows 60 s more
        self.asked: list[dict[str, Any]] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    @property
    def realm(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}/token"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def grant(self, method: str, fields: dict[str, list[str]], authorization: str) -> tuple[int, dict[str, Any]]:
        scopes = " ".join(fields.get("scope", [])).split()
        self.asked.append({"method": method, "scopes": scopes, "authorization": bool(authorization)})
        known = authorization == self._basic or fields.get("refresh_token") == [IDENTITY_TOKEN]
        if (authorization and not known) or (method == "POST" and not known):
            return 401, {"errors": [{"code": "UNAUTHORIZED", "message": "wrong password"}]}
        access = [self._access(scope, known) for scope in scopes]
        token = self._sign("user" if known else "", access)
        return 200, {"token": token, "access_token": token, "expires_in": self.lifetime}

    @staticmethod
    def _access(scope: str, known: bool) -> dict[str, Any]:
        kind, _, rest = scope.partition(":")
        name, _, actions = rest.rpartition(":")
        granted = [action for action in actions.split(",") if known or action == "pull"]
        return {"type": kind, "name": name, "actions": granted}

    def _sign(self, subject: str, access: list[dict[str, Any]]) -> str:
        now = int(time.time())
        certificate = load_pem_x509_certificate(self.certificate.read_bytes())
        der = certificate.public_bytes(serialization.Encoding.DER)
        header = {"typ": "JWT", "alg": "RS256", "x5c": [base64.b64encode(der).decode()]}
        claims = {
            "iss": ISSUER,
            "sub": subject,
            "aud": SERVICE,
            "exp": int(now + self.expires_in_truth),
            "nbf": now - 120,
            "iat": now,
            "jti": uuid.uuid4().hex,
            "access": access,
        }
        signed = f"{_encode(json.dumps(header).encode())}.{_encode(json.dumps(claims).encode())}"
        signature = self._key.sign(signed.encode(), padding.PKCS1v15(), hashes.SHA256())
        return f"{signed}.{_encode(signature)}"

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        service = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self._answer(parse_qs(urlsplit(self.path).query))

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                self._answer(parse_qs(body.decode()))

            def _answer(self, fields: dict[str, list[str]]) -> None:
                status, answer = service.grant(self.command, fields, self.headers.get("Authorization") or "")
                body = json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:
                pass

        return Handler


def _encode(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).decode().rstrip("=")
