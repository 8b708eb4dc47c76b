import { createAuth0Client } from "@auth0/auth0-spa-js";

globalThis.client = (options) => createAuth0Client(options);
