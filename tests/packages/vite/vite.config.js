import { defineConfig } from "vite";

export default defineConfig({
  base: "./",
  oxc: { jsx: { runtime: "automatic" } },
  build: {
    target: "es2022",
    // Below this size Vite turns a file into a data: address, which a site's Content-Security-Policy may refuse.
    assetsInlineLimit: 0,
  },
});
