// Builds what functions/serve-portal embeds, and serves the sources while somebody works on them.
//
// `npm run dev` needs the local cloud (`make up`): it asks that one's API, and signs in there.

import { readFileSync } from "node:fs";
import { defineConfig, type Plugin } from "vite";

const STACK = "../../../target/local/stack.json";

/** Passes on what is the stack's: what it says of itself, and its API. */
function localCloud(): Plugin {
  return {
    name: "local-cloud",
    apply: "serve",
    config() {
      const { outputs } = JSON.parse(readFileSync(process.env.STACK ?? STACK, "utf8"));
      const proxy = { target: outputs.ApiUrl, changeOrigin: true };
      const paths = ["/portal/config.json", "/portals", "/problem-codes", "/xero"];
      return { server: { proxy: Object.fromEntries(paths.map((path) => [path, proxy])) } };
    },
    configureServer({ middlewares }) {
      // Vite serves its base with a slash at the end alone, and whoever has signed in comes back without.
      middlewares.use((request, _, next) => {
        request.url = request.url?.replace(/^\/portal(?=[?]|$)/, "/portal/");
        next();
      });
    },
  };
}

export default defineConfig(({ command }) => ({
  // Built, nothing knows where it will be served: index.html has a `base` that the function writes.
  base: command === "build" ? "./" : "/portal/",
  // As local/deploy.py tells the user pool, which sends nobody back to another address.
  server: { host: "localhost", port: 5173, strictPort: true },
  build: {
    outDir: "../assets",
    emptyOutDir: true,
    assetsDir: "",
    target: "es2022",
    modulePreload: { polyfill: false },
    // A file of its own each: `data:` addresses would need an exception in the policy.
    assetsInlineLimit: 0,
  },
  plugins: [localCloud()],
}));
