"""An OpenID provider on this machine, which lets in whomever a test says, and lies as it says."""

import base64
import hashlib
import socket
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from urllib.parse import parse_qs, urlencode

import uvicorn
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, RedirectResponse
from joserfc import jwt
from joserfc.jwk import RSAKey

CLIENT, SECRET = "farm", "a-secret-of-the-provider"


@dataclass
class FakeProvider:
    """What it says of whoever comes: `claims` over those of an honest provider, None for one that
    is left out. With `refuses`, it sends people back with that error.
    """

    issuer: str = ""
    claims: dict[str, object] = field(default_factory=dict)
    refuses: str | None = None
    key: RSAKey = field(default_factory=lambda: RSAKey.generate_key(2048, {"kid": "one"}))
    shown_key: RSAKey | None = None
    """The key that it publishes, if not the one that it signs with."""
    tells_token: bool = True
    asked: list[dict[str, str]] = field(default_factory=list)
    """What browsers were sent with."""

    def app(self):
        app = FastAPI()

        @app.get("/.well-known/openid-configuration")
        def metadata():
            return {
                "issuer": self.issuer,
                "authorization_endpoint": f"{self.issuer}/authorize",
                "token_endpoint": f"{self.issuer}/token",
                "jwks_uri": f"{self.issuer}/keys",
                "id_token_signing_alg_values_supported": ["RS256"],
            }

        @app.get("/keys")
        def keys():
            return {"keys": [(self.shown_key or self.key).as_dict(private=False)]}

        @app.get("/authorize")
        def authorize(request: Request):
            asked = dict(request.query_params)
            self.asked.append(asked)
            code = {"error": self.refuses} if self.refuses else {"code": str(len(self.asked))}
            back = urlencode({**code, "state": asked["state"]})
            return RedirectResponse(f"{asked['redirect_uri']}?{back}")

        @app.post("/token")
        async def token(request: Request):
            form = {k: v[0] for k, v in parse_qs((await request.body()).decode()).items()}
            asked = self.asked[int(form["code"]) - 1]
            shown = base64.b64decode(request.headers["authorization"].split()[1]).decode()
            digest = hashlib.sha256(form["code_verifier"].encode()).digest()
            proof = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
            if shown != f"{CLIENT}:{SECRET}" or proof != asked["code_challenge"]:
                return JSONResponse({"error": "invalid_grant"}, 400)
            told = {"access_token": "x", "token_type": "Bearer", "expires_in": 60}
            return {**told, "id_token": self._signed(asked)} if self.tells_token else told

        return app

    def _signed(self, asked):
        honest = {
            "iss": self.issuer, "aud": CLIENT, "sub": "7", "nonce": asked["nonce"],
            "iat": int(time.time()), "exp": int(time.time()) + 60,
            "email": "Mira@Acme.example", "email_verified": True,
        }  # fmt: skip
        claims = {k: v for k, v in {**honest, **self.claims}.items() if v is not None}
        return jwt.encode({"alg": "RS256", "kid": "one"}, claims, self.key)


@contextmanager
def running():
    """A provider that answers on a port of its own, as `localhost`: another site, for browsers
    that know the farm by its number.
    """
    with socket.create_server(("127.0.0.1", 0)) as listening:
        made = FakeProvider(issuer=f"http://localhost:{listening.getsockname()[1]}")
        server = uvicorn.Server(uvicorn.Config(made.app(), log_level="error", lifespan="off"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        try:
            yield made
        finally:
            server.should_exit = True
            thread.join()
