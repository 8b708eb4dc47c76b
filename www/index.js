// What a customer writes: load the SDK, show who is signed in, read the organization's data.
import * as sdk from "/latchkey/index.js";
import { clientId, platform } from "/config.js";

const element = (id) => document.getElementById(id);

function fill(list, rows, text) {
  list.replaceChildren(...rows.map((row) => Object.assign(document.createElement("li"), { textContent: text(row) })));
}

function complain(error) {
  element("error").textContent = `${error.message} (${error.code})`;
  element("error").hidden = false;
}

try {
  const client = await sdk.init({ clientId, platform });

  const read = async (path) => {
    const response = await client.fetch(path);
    if (!response.ok) throw Object.assign(new Error("The platform refused"), { code: (await response.json()).error });
    return response.json();
  };

  const render = async () => {
    const { session, state } = client;
    element("sign-in").hidden = state !== "signed-out";
    element("sign-out").hidden = !session;
    element("data").hidden = !session;
    element("status").textContent = session
      ? `${session.user.name}, ${session.organization.name}`
      : { "signing-in": "Signing in…", "signed-out": "You are signed out." }[state] ?? "";
    if (!session) {
      fill(element("projects"), []);
      fill(element("members"), []);
      return;
    }
    element("error").hidden = true;
    try {
      const [projects, members] = await Promise.all([read("projects/"), read("members/")]);
      fill(element("projects"), projects, (project) => project.name);
      fill(element("members"), members, (member) => `${member.name}, ${member.role}`);
    } catch (error) {
      complain(error);
    }
  };

  client.addEventListener("statechange", render);
  element("sign-in").onclick = () => client.login().catch(complain);
  element("sign-out").onclick = () => client.logout().catch(complain);
} catch (error) {
  element("status").textContent = "";
  complain(error);
}
