"""Authlib, as a program with no secret uses it. How it speaks with the journey: see journey.mjs."""

import json
import sys

import requests
from authlib.integrations.base_client import OAuthError
from authlib.integrations.requests_client import OAuth2Session
from authlib.oauth2 import rfc8414, rfc9207
from authlib.oauth2.rfc6749.errors import OAuth2Error
from authlib.oidc.core import CodeIDToken
from authlib.oidc.discovery import OpenIDProviderMetadata, get_well_known_url
from joserfc import jwt
from joserfc.jwk import KeySet

task = json.loads(sys.argv[1])


def say(value):
    print(json.dumps(value), flush=True)


def fetch(url):
    answer = requests.get(url, timeout=30)
    answer.raise_for_status()
    return answer.json()


metadata = OpenIDProviderMetadata(fetch(get_well_known_url(task["issuer"], external=True)))
metadata.validate()
oauth = rfc8414.AuthorizationServerMetadata(fetch(rfc8414.get_well_known_url(task["issuer"], external=True)))
oauth.validate(metadata_classes=[rfc9207.AuthorizationServerMetadata])

session = OAuth2Session(
    client_id=task["clientId"],
    redirect_uri=task["redirectUri"],
    scope=task["scope"],
    code_challenge_method="S256",
    **metadata,
)
authorize, state = session.create_authorization_url(
    metadata["authorization_endpoint"],
    state=task["state"],
    nonce=task["nonce"],
    code_verifier=task["verifier"],
)
say({"authorize": authorize})
arrived = sys.stdin.readline().strip()

token = session.fetch_token(authorization_response=arrived, state=state, code_verifier=task["verifier"])
keys = KeySet.import_key_set(fetch(metadata["jwks_uri"]))
signed = jwt.decode(token["id_token"], keys, algorithms=metadata["id_token_signing_alg_values_supported"])
claims = CodeIDToken(
    signed.claims,
    signed.header,
    {"iss": {"essential": True, "value": metadata["issuer"]}, "aud": {"essential": True, "value": task["clientId"]}},
    {"nonce": task["nonce"], "client_id": task["clientId"], "access_token": token["access_token"], "max_age": 3600},
)
claims.validate()

person = session.get(metadata["userinfo_endpoint"]).json()
assert person["sub"] == claims["sub"], "userinfo is of another person"
projects = session.get(task["api"]).json()

refreshed = session.refresh_token(metadata["token_endpoint"])
renewed = session.get(task["api"]).status_code

session.revoke_token(metadata["revocation_endpoint"], refreshed["refresh_token"]).raise_for_status()
challenge = session.get(task["api"]).json()
try:
    session.refresh_token(metadata["token_endpoint"], refreshed["refresh_token"])
    refusal = None
except (OAuthError, OAuth2Error) as error:
    refusal = error.error

say(
    {
        "issuers": [oauth["issuer"]],
        "name": person["name"],
        "email": person["email"],
        "scope": token["scope"],
        "projects": [project["slug"] for project in projects],
        "rotated": refreshed["refresh_token"] != token["refresh_token"],
        "renewed": renewed,
        "revoked": [challenge["error"], refusal],
    }
)
