// A headless Chromium with a page that has loaded the package, served from the loopback interface.

import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { extname } from "node:path";
import { chromium } from "playwright-core";

/** Debian's; any other Chromium may be named. */
const EXECUTABLE = process.env.CHROMIUM_BIN ?? "/usr/bin/chromium";
const FLAGS =
  "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking " +
  "--disable-component-update --disable-sync";

const ROOT = new URL("../", import.meta.url);
const TYPES = { ".js": "text/javascript", ".wasm": "application/wasm" };

export async function startBrowser() {
  const server = createServer(answer);
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const browser = await chromium
    .launch({ executablePath: EXECUTABLE, args: FLAGS.split(" ") })
    .catch((error) => {
      server.close();
      throw new Error(`cannot start ${EXECUTABLE}; run: sudo apt-get install chromium, or set CHROMIUM_BIN`, {
        cause: error,
      });
    });
  const page = await browser.newPage();
  await page.goto(`http://127.0.0.1:${server.address().port}/`);
  return {
    version: `Chromium ${browser.version()}`,
    check: (suites) => page.evaluate(run, suites),
    async close() {
      await browser.close();
      server.close();
    },
  };
}

/** In the page: loads the package as a web page would, by fetching the core, and runs the suites. */
async function run(suites) {
  const turquoise = await import("/pkg/index.js");
  const { check } = await import("/test/check.js");
  await turquoise.default();
  return check(turquoise, suites);
}

async function answer({ url }, response) {
  const { pathname } = new URL(url, "http://localhost");
  const type = TYPES[extname(pathname)];
  try {
    const body = type
      ? await readFile(new URL(`.${pathname}`, ROOT))
      : "<!doctype html><title>turquoise</title>";
    response.writeHead(200, { "content-type": type ?? "text/html" }).end(body);
  } catch {
    response.writeHead(404).end();
  }
}
