import { build } from "esbuild";
import { cp } from "node:fs/promises";

await build({
  absWorkingDir: import.meta.dirname,
  entryPoints: ["src/main.js"],
  outdir: "dist",
  bundle: true,
  minify: true,
  format: "esm",
  splitting: true,
  loader: { ".wasm": "file" },
});
await cp(`${import.meta.dirname}/index.html`, `${import.meta.dirname}/dist/index.html`);
