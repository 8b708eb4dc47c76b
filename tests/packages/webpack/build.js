import { cp } from "node:fs/promises";
import webpack from "webpack";
import config from "./webpack.config.js";

webpack(config, async (error, stats) => {
  console.log(error ?? stats.toString("errors-warnings"));
  process.exitCode = error || stats.hasErrors() || stats.hasWarnings() ? 1 : 0;
  await cp(`${import.meta.dirname}/index.html`, `${import.meta.dirname}/dist/index.html`);
});
