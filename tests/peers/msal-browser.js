import { createStandardPublicClientApplication } from "@azure/msal-browser";

globalThis.client = (options) => createStandardPublicClientApplication(options);
