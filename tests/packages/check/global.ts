// A page with the script tag has no module: what it calls is global.
/// <reference types="@latchkey/sdk" />
latchkey.init({ clientId: "a", platform: "https://platform.example" }).then(async (client: latchkey.Client) => {
  (await client.login()) satisfies latchkey.Session;
});
