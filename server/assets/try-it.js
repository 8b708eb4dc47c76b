// What a customer's site does, from a page of the platform's: each step says whether it worked, and if not, why.
const trial = document.querySelector("#trial");
const { client: clientId, platform, responseType } = trial.dataset;
const signIn = document.querySelector("#sign-in");
const signOut = document.querySelector("#sign-out-site");
const result = document.querySelector("#result");

const step = (name) => document.querySelector(`#step-${name}`);

function done(name) {
  const item = step(name);
  item.dataset.state = "done";
  item.querySelector(".wrong")?.remove();
}

function failed(name, error) {
  const item = step(name);
  item.dataset.state = "failed";
  item.querySelector(".wrong")?.remove();
  const told = document.createElement("p");
  told.className = "wrong";
  told.textContent = [error.code, error.message, error.hint !== error.message && error.hint].filter(Boolean).join(": ");
  item.append(told);
}

function undone(...names) {
  for (const name of names) {
    delete step(name).dataset.state;
    step(name).querySelector(".wrong")?.remove();
  }
}

function show(value) {
  result.hidden = value === null;
  result.querySelector("pre").textContent = value === null ? "" : JSON.stringify(value, null, 2);
}

async function begin() {
  let sdk;
  try {
    sdk = await import("./sdk.js");
    done("load");
  } catch (error) {
    return failed("load", error);
  }
  try {
    const answer = await fetch(`${platform}/toolbar/${clientId}/status/`);
    const status = await answer.json();
    if (!status.allowed) return failed("status", { code: status.error, message: status.error_description });
    done("status");
  } catch (error) {
    return failed("status", error);
  }
  let client;
  try {
    client = await sdk.init({ clientId, platform, responseType });
    done("frame");
  } catch (error) {
    return failed("frame", error);
  }
  client.addEventListener("error", ({ error }) => failed("sign-in", error));
  client.addEventListener("statechange", () => follow(client));
  signIn.onclick = () => client.login().catch((error) => failed("sign-in", error));
  signOut.onclick = () => client.logout().catch((error) => failed("session", error));
  follow(client);
}

/** Shows what the client's state means for the steps. */
async function follow(client) {
  signIn.disabled = client.state !== "signed-out";
  signOut.hidden = !client.session;
  if (!client.session) {
    if (client.state === "signed-out" && step("session").dataset.state === "done") undone("sign-in", "session", "api");
    return show(null);
  }
  done("sign-in");
  done("session");
  const { session } = client;
  try {
    const answer = await client.fetch(`${platform}/api/0/`);
    const token = await answer.json();
    if (!answer.ok) return failed("api", { code: token.error, message: token.error_description });
    if (client.session !== session) return;
    done("api");
    show(token);
  } catch (error) {
    failed("api", error);
  }
}

begin();
