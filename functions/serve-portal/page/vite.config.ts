// Builds what functions/serve-portal embeds, and serves the sources while somebody works on them.
//
// `npm run dev` needs the local cloud (`make up`): it asks that one's API, and signs in there.

import { readFileSync } from "node:fs";
import { defineConfig, type Plugin } from "vite";

const STACK = "../../../target/local/stack.json";

/** Answers as serve-portal does where the page asks about the stack, and passes on what is the API's. */
function localCloud(): Plugin {
  return {
    name: "local-cloud",
    apply: "serve",
    config() {
      const { outputs } = JSON.parse(readFileSync(process.env.STACK ?? STACK, "utf8"));
      const proxy = { target: outputs.ApiUrl, changeOrigin: true };
      return { server: { proxy: { "/portals": proxy, "/problem-codes": proxy } } };
    },
    configureServer(server) {
      server.middlewares.use("/portal/config.json", (_, answer) => {
        const { outputs, endpoint, region } = JSON.parse(readFileSync(process.env.STACK ?? STACK, "utf8"));
        answer.setHeader("content-type", "application/json");
        answer.end(
          JSON.stringify({
            issuer: `https://cognito-idp.${region}.amazonaws.com/${outputs.UserPoolId}`,
            sign_in_url: endpoint,
            client_id: outputs.UserPoolClientId,
          }),
        );
      });
    },
  };
}

export default defineConfig(({ command }) => ({
  // Built, nothing knows where it will be served: index.html has a `base` that the function writes.
  base: command === "build" ? "./" : "/portal/",
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
