// The SDK as a hook. One client serves every component of the page, and it starts with the first that asks for it;
// on a server there is none, and every component is rendered as signed out.
import { useSyncExternalStore } from "react";
import { init } from "@latchkey/sdk";

const LOADING = { state: "loading", session: null, error: null, client: null };

/** Where a client is, as a store for React. `options` are those of `init`. */
export function createLatchkey(options) {
  const listeners = new Set();
  let snapshot = LOADING;
  let started;

  const change = (next) => {
    snapshot = { ...snapshot, ...next };
    listeners.forEach((listener) => listener());
  };

  async function start() {
    try {
      const client = await init(options);
      const update = () => change({ client, state: client.state, session: client.session });
      client.addEventListener("statechange", () => {
        if (client.session) snapshot = { ...snapshot, error: null };
        update();
      });
      client.addEventListener("error", ({ error }) => change({ error }));
      update();
    } catch (error) {
      // The next component that mounts tries again.
      started = undefined;
      change({ state: "error", error });
    }
  }

  return {
    subscribe(listener) {
      listeners.add(listener);
      started ??= start();
      return () => listeners.delete(listener);
    },
    getSnapshot: () => snapshot,
    getServerSnapshot: () => LOADING,
    /** Call it directly inside a click handler: browsers open windows only there. */
    login: (options) => snapshot.client?.login(options).catch((error) => change({ error })),
    logout: () => snapshot.client?.logout().catch((error) => change({ error })),
  };
}

/** What the store knows now: `state`, `session`, `error`, and the `client` once there is one. */
export function useLatchkey(store) {
  return useSyncExternalStore(store.subscribe, store.getSnapshot, store.getServerSnapshot);
}
