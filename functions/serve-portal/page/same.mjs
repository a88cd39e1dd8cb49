// Whether functions/serve-portal/assets is what the sources make: builds them once more, elsewhere, and compares. What
// compresses may be another release elsewhere, so what is compared is what comes out again.

import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { brotliDecompressSync, gunzipSync } from "node:zlib";

const COMMITTED = "../assets";

const fresh = mkdtempSync(join(tmpdir(), "portal-page-"));
try {
  execFileSync("npx", ["vite", "build", "--logLevel", "error", "--outDir", fresh], { stdio: "inherit" });
  execFileSync("node", ["compress.mjs", fresh], { stdio: "inherit" });
  const names = readdirSync(fresh).sort();
  const same =
    names.join() === readdirSync(COMMITTED).sort().join() &&
    names.every((name) => read(join(fresh, name)).equals(read(join(COMMITTED, name))));
  if (!same) {
    console.error("functions/serve-portal/assets is not what functions/serve-portal/page makes: `make page`");
    process.exitCode = 1;
  }
} finally {
  rmSync(fresh, { recursive: true });
}

function read(path) {
  const file = readFileSync(path);
  if (path.endsWith(".br")) return brotliDecompressSync(file);
  return path.endsWith(".gz") ? gunzipSync(file) : file;
}
