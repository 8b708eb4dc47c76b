import { OktaAuth } from "@okta/okta-auth-js";

globalThis.client = (options) => new OktaAuth(options);
