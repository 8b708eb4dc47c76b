// Builds every site with its own tool, all at once; says what a tool had to say only where it failed or warned.
import { spawn } from "node:child_process";

const TOOLS = {
  vite: ["node_modules/vite/bin/vite.js", "build", "vite"],
  webpack: ["webpack/build.js"],
  esbuild: ["esbuild/build.js"],
  next: ["node_modules/next/dist/bin/next", "build", "next"],
};

const run = ([name, args]) =>
  new Promise((resolve) => {
    const env = { ...process.env, NEXT_TELEMETRY_DISABLED: "1", NO_COLOR: "1", NODE_ENV: "production" };
    const tool = spawn(process.execPath, args, { cwd: import.meta.dirname, env, stdio: ["ignore", "pipe", "pipe"] });
    let said = "";
    for (const output of [tool.stdout, tool.stderr]) output.on("data", (text) => (said += text));
    tool.on("close", (code) => {
      const failed = code != 0 || /\bwarn(ing)?\b/i.test(said);
      console.log(failed ? `${name} failed:\n${said}` : `${name} is built`);
      resolve(failed);
    });
  });

const failed = await Promise.all(Object.entries(TOOLS).map(run));
process.exitCode = failed.includes(true) ? 1 : 0;
