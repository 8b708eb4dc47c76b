import * as oauth from "oauth4webapi";
import { ask, rejection, task, tell } from "./journey.mjs";

const { clientId, redirectUri, scope, state, nonce, verifier } = task;
const issuer = new URL(task.issuer);
const client = { client_id: clientId };
const publicly = oauth.None();

// RFC 8414 and OpenID Connect Discovery describe the same server; RFC 9728 leads to it from the API.
const discover = async (algorithm) =>
  oauth.processDiscoveryResponse(issuer, await oauth.discoveryRequest(issuer, { algorithm }));
const server = await discover("oidc");
const { issuer: described } = await discover("oauth2");
const resource = await oauth.processResourceDiscoveryResponse(issuer, await oauth.resourceDiscoveryRequest(issuer));

const authorize = new URL(server.authorization_endpoint);
authorize.search = new URLSearchParams({
  client_id: clientId,
  redirect_uri: redirectUri,
  response_type: "code",
  scope,
  state,
  nonce,
  code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
  code_challenge_method: "S256",
  max_age: "3600",
});
const response = oauth.validateAuthResponse(server, client, await ask(authorize), state);

const answered = await oauth.authorizationCodeGrantRequest(server, client, publicly, response, redirectUri, verifier);
const tokens = await oauth.processAuthorizationCodeResponse(server, client, answered, {
  expectedNonce: nonce,
  maxAge: 3600,
  requireIdToken: true,
});
await oauth.validateApplicationLevelSignature(server, answered);
const { sub } = oauth.getValidatedIdTokenClaims(tokens);

const person = await oauth.processUserInfoResponse(
  server, client, sub, await oauth.userInfoRequest(server, client, tokens.access_token));
const call = (token) => oauth.protectedResourceRequest(token, "GET", new URL(task.api));
const projects = await (await call(tokens.access_token)).json();

const refresh = async (token) => oauth.processRefreshTokenResponse(
  server, client, await oauth.refreshTokenGrantRequest(server, client, publicly, token));
const refreshed = await refresh(tokens.refresh_token);
const renewed = (await call(refreshed.access_token)).status;

const revoke = async (token) => oauth.processRevocationResponse(
  await oauth.revocationRequest(server, client, publicly, token));
await revoke(refreshed.refresh_token);
const challenge = await rejection(call(refreshed.access_token));
const refusal = await rejection(refresh(refreshed.refresh_token));

tell({
  issuers: [described, ...resource.authorization_servers],
  name: person.name,
  email: person.email,
  scope: tokens.scope,
  projects: projects.map((project) => project.slug),
  rotated: refreshed.refresh_token !== tokens.refresh_token,
  renewed,
  revoked: [challenge.cause[0].parameters.error, refusal.error],
});
