import { UserManager } from "oidc-client-ts";

globalThis.client = (options) => new UserManager(options);
