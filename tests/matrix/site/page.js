// What a site's own code does with the SDK, and what it is told: the matrix reads it from `told`.
const told = (window.told = { started: null, outcome: null, clicked: false, errors: [] });
const show = () => (document.getElementById("told").textContent = JSON.stringify(told, null, 1));

// Whatever nobody caught, and whatever was written to the console as an error.
const complain = (text) => told.errors.push(text) && show();
addEventListener("error", ({ message }) => complain(`uncaught: ${message}`));
addEventListener("unhandledrejection", ({ reason }) => complain(`unhandled: ${reason?.stack ?? reason}`));
const write = console.error;
console.error = (...what) => {
  complain(`console.error: ${what.join(" ")}`);
  write.apply(console, what);
};

// After the listeners: what goes wrong while it is loaded must be heard, too.
const sdk = await import("/latchkey/index.js");
const { clientId, platform } = await import("/config.js");

const query = new URLSearchParams(location.search);
const returned = location.pathname.endsWith("/redirect.html");
const mode = returned ? "redirect" : query.get("mode");
const redirectUri = new URL("redirect.html", location.origin + location.pathname).href;

const refusal = (error) =>
  error instanceof sdk.LatchkeyError ? `${error.code}: ${error.message} ${error.hint}` : `not a LatchkeyError: ${error}`;
const welcome = async (client) => {
  const projects = await (await client.fetch("projects/")).json();
  return `signed in: ${client.session.user.name}, ${projects.map(({ name }) => name)}`;
};
const settle = (promise) =>
  promise.then(
    (outcome) => (told.outcome = outcome),
    (error) => (told.outcome = refusal(error)),
  ).then(show);

window.login = () => {
  told.clicked = true;
  settle(client.login({ timeoutMs: Number(query.get("wait")) }).then(() => welcome(client)));
};

let client;
try {
  const options = { clientId, platform, mode };
  if (returned || query.has("redirect_uri")) options.redirectUri = redirectUri;
  window.client = client = await sdk.init(options);
  told.started = "started";
  const button = document.getElementById("sign-in");
  button.onclick = login;
  button.hidden = false;
  if (returned) await settle(client.handleRedirect().then((session) => session && welcome(client)));
} catch (error) {
  told.started = refusal(error);
}
show();
