// Beside every file that was built, the same in fewer bytes, as browsers take it. index.html is written anew for each
// address, and small.

import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";

const BUILT = process.argv[2] ?? "../assets";

for (const name of readdirSync(BUILT)) {
  if (/\.(br|gz|html)$/.test(name)) continue;
  const file = readFileSync(`${BUILT}/${name}`);
  const params = {
    [constants.BROTLI_PARAM_QUALITY]: constants.BROTLI_MAX_QUALITY,
    [constants.BROTLI_PARAM_SIZE_HINT]: file.length,
  };
  writeFileSync(`${BUILT}/${name}.br`, brotliCompressSync(file, { params }));
  writeFileSync(`${BUILT}/${name}.gz`, gzipSync(file, { level: 9 }));
}
