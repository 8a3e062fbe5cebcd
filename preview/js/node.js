// The same API in Node, where the core lies in a file and is there at once: init() has nothing to wait for.

import { readFileSync } from "node:fs";
import { initSync } from "./wasm/turquoise_preview.js";

initSync({ module: readFileSync(new URL("wasm/turquoise_preview_bg.wasm", import.meta.url)) });

export * from "./index.js";
export default async function init() {}
