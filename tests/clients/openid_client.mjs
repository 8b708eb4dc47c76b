import * as client from "openid-client";
import { ask, rejection, task, tell } from "./journey.mjs";

const { clientId, redirectUri, scope, state, nonce, verifier, resourceServer } = task;
const issuer = new URL(task.issuer);

// With no secret and no word about authentication: a public client.
const config = await client.discovery(issuer, clientId);
client.enableNonRepudiationChecks(config);
const oauth = await client.discovery(issuer, clientId, undefined, undefined, { algorithm: "oauth2" });

const authorize = client.buildAuthorizationUrl(config, {
  redirect_uri: redirectUri,
  scope,
  state,
  nonce,
  code_challenge: await client.calculatePKCECodeChallenge(verifier),
  code_challenge_method: "S256",
});
const arrived = await ask(authorize);
const checks = { expectedState: state, expectedNonce: nonce, pkceCodeVerifier: verifier, idTokenExpected: true };
const tokens = await client.authorizationCodeGrant(config, arrived, checks);

const person = await client.fetchUserInfo(config, tokens.access_token, tokens.claims().sub);
const call = (token) => client.fetchProtectedResource(config, token, new URL(task.api), "GET");
const projects = await (await call(tokens.access_token)).json();

// The API asks what the token is, under a name of its own.
const api = await client.discovery(issuer, resourceServer.id, undefined, client.ClientSecretBasic(resourceServer.secret));
const seen = await client.tokenIntrospection(api, tokens.access_token);

const refreshed = await client.refreshTokenGrant(config, tokens.refresh_token);
const renewed = (await call(refreshed.access_token)).status;

await client.tokenRevocation(config, refreshed.refresh_token);
const challenge = await rejection(call(refreshed.access_token));
const refusal = await rejection(client.refreshTokenGrant(config, refreshed.refresh_token));
const unseen = await client.tokenIntrospection(api, refreshed.access_token);

tell({
  issuers: [oauth.serverMetadata().issuer],
  name: person.name,
  email: person.email,
  scope: tokens.scope,
  projects: projects.map((project) => project.slug),
  rotated: refreshed.refresh_token !== tokens.refresh_token,
  renewed,
  introspected: [seen.active, seen.client_id === clientId, seen.sub === person.sub, unseen.active],
  revoked: [challenge.cause[0].parameters.error, refusal.error],
});
