// The page without a framework: what the sites built with webpack and esbuild, and the one with a script tag, share.
export async function show({ init }, options) {
  const element = (id) => document.getElementById(id);
  const client = await init(options);
  const complain = (error) => (element("error").textContent = error.hint);

  async function render() {
    const { session, state } = client;
    element("status").textContent = session ? `${session.user.name}, ${session.organization.name}` : "Signed out.";
    element("sign-in").disabled = state !== "signed-out";
    const projects = session ? await (await client.fetch("projects/")).json() : [];
    element("projects").replaceChildren(
      ...projects.map(({ name }) => Object.assign(document.createElement("li"), { textContent: name })),
    );
  }

  client.addEventListener("statechange", render);
  element("sign-in").onclick = () => client.login().catch(complain);
  await render();
}
