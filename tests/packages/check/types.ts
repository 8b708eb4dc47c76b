// What TypeScript says of the package's uses: this compiles, and each line below an expected error is one.
import * as sdk from "@latchkey/sdk";
import type { Client, ClientErrorEvent, Diagnosis, ErrorCode, LoginOptions, Options, Session, State } from "@latchkey/sdk";

const platform = "https://platform.example";

export async function uses(button: HTMLButtonElement, bytes: Uint8Array, module: WebAssembly.Module): Promise<void> {
  const client: Client = await sdk.init({ clientId: "a", platform, scopes: ["project:read"] as const });
  await sdk.init({ client_id: "a", platform, mode: "redirect", redirectUri: "https://site.example/signed-in/" });
  await sdk.init({ clientId: "a", platform, responseType: "code", tokens: "frame", headless: true, timeoutMs: 5_000 });
  await sdk.init({ clientId: "a", platform, wasm: new URL("core.wasm", "https://site.example/"), container: button });
  await sdk.init({ clientId: "a", platform, wasm: bytes });
  await sdk.init({ clientId: "a", platform, mode: "iframe", tokens: "frame" });
  await sdk.init({ clientId: "a", platform, wasm: module });

  button.onclick = () => client.login();
  const login: LoginOptions = { signal: AbortSignal.timeout(1_000), timeoutMs: 1, prompt: "none", scopes: [] };
  const session: Session = await client.login(login);
  session.organization.slug satisfies string;
  session.user.name satisfies string;
  session.expiresAt.getTime() satisfies number;
  session.scopes.includes("project:read") satisfies boolean;

  client.addEventListener("statechange", function () {
    this.session?.organization satisfies object | undefined;
  });
  client.addEventListener("error", (event) => {
    event satisfies ClientErrorEvent;
    event.error.code satisfies ErrorCode;
  });
  client.state satisfies State;
  client.delivery satisfies "opener" | "channel" | "redirect";

  const response: Response = await client.fetch("projects/", { method: "POST", body: "{}", signal: login.signal ?? null });
  (await client.fetch(new URL(response.url))).body satisfies ReadableStream | null;
  (await client.getToken()) satisfies string | null;
  (await client.handleRedirect()) satisfies Session | null;
  const diagnosis: Diagnosis = await sdk.diagnose({ clientId: "a", platform });
  for (const { level, header, value, message } of (await client.diagnose()).findings.concat(diagnosis.findings)) {
    `${level} ${header ?? ""} ${value ?? ""} ${message}` satisfies string;
  }
  (await client.logout()) satisfies void;
  client.destroy() satisfies void;

  try {
    await client.login();
  } catch (error) {
    if (error instanceof sdk.LatchkeyError && error.code === "popup_blocked") console.warn(error.hint, error.setupUrl);
    // @ts-expect-error: there is no such code
    if (error instanceof sdk.LatchkeyError && error.code === "popup_bloked") throw error;
  }

  // @ts-expect-error: a client id is needed
  await sdk.init({ platform });
  // @ts-expect-error: and so it is for a diagnosis
  await sdk.diagnose({ platform });
  // @ts-expect-error: no frame, no token in it
  await sdk.init({ clientId: "a", platform, mode: "popup", tokens: "frame" });
  // @ts-expect-error: the platform is needed
  await sdk.init({ clientId: "a" });
  // @ts-expect-error: there is no such mode
  await sdk.init({ clientId: "a", platform, mode: "tab" });
  // @ts-expect-error: there is no such option
  await sdk.init({ clientId: "a", platform, scope: "project:read" });
  // @ts-expect-error: scopes are a list
  await sdk.init({ clientId: "a", platform, scopes: "project:read" });
  // @ts-expect-error: there is no such prompt
  await client.login({ prompt: "create" });
  // @ts-expect-error: the session is read only
  client.session = null;
  // @ts-expect-error: and so is what is in it
  session.scopes.push("org:admin");
  // @ts-expect-error: all of it
  session.organization.slug = "b";
  // @ts-expect-error: nobody may be signed in
  client.session.user;
  // @ts-expect-error: a client is made by init alone
  new sdk.Client();
  // @ts-expect-error: an error's code is in the list
  new sdk.LatchkeyError("nothing");
}

export const options: Options = { platform, clientId: "a" };
