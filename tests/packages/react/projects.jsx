import { useEffect, useState } from "react";
import { createLatchkey, useLatchkey } from "./use-latchkey.js";

/** A button to sign in with, and the organization's projects for who is signed in. */
export function Projects({ clientId, platform }) {
  const [latchkey] = useState(() => createLatchkey({ clientId, platform }));
  const { state, session, error, client } = useLatchkey(latchkey);
  const [projects, setProjects] = useState([]);

  useEffect(() => {
    if (!session) return setProjects([]);
    const ended = new AbortController();
    client
      .fetch("projects/", { signal: ended.signal })
      .then((response) => response.json())
      .then(setProjects, () => {});
    return () => ended.abort();
  }, [client, session]);

  return (
    <main>
      <p id="status" role="status">
        {session ? `${session.user.name}, ${session.organization.name}` : "Signed out."}
      </p>
      {session ? (
        <button id="sign-out" onClick={latchkey.logout}>Sign out</button>
      ) : (
        <button id="sign-in" disabled={state !== "signed-out"} onClick={() => latchkey.login()}>Sign in</button>
      )}
      {error && <p id="error" role="alert">{error.hint}</p>}
      <ul id="projects">{projects.map(({ slug, name }) => <li key={slug}>{name}</li>)}</ul>
    </main>
  );
}
