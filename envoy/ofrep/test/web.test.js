// The web SDK with its OFREP provider, in a headless Chromium, from a page of another origin.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { after, before, test } from "node:test";
import { chromium } from "playwright-core";

import { startProxy } from "./proxy.js";

/** Debian's; any other Chromium may be named. */
const EXECUTABLE = process.env.CHROMIUM_BIN ?? "/usr/bin/chromium";
const FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"];

const MODULES = new URL("../node_modules/@openfeature/", import.meta.url);
/** The packages as they are published, found by the names under which they import one another. */
const IMPORTS = {
  "@openfeature/core": "/core/dist/esm/index.js",
  "@openfeature/web-sdk": "/web-sdk/dist/esm/index.js",
  "@openfeature/ofrep-web-provider": "/ofrep-web-provider/index.esm.js",
  "@openfeature/ofrep-core": "/ofrep-web-provider/node_modules/@openfeature/ofrep-core/index.esm.js",
};
const PAGE = `<!doctype html>
<title>shop</title>
<script type="importmap">${JSON.stringify({ imports: IMPORTS })}</script>
<h1 id="greeting"></h1>`;

let server;
let browser;
let proxy;

before(async () => {
  server = createServer(serve);
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  proxy = await startProxy({ origin: `http://127.0.0.1:${server.address().port}` });
  browser = await chromium.launch({ executablePath: EXECUTABLE, args: FLAGS });
});

after(async () => {
  await browser?.close();
  await proxy?.stop();
  server?.close();
});

async function serve({ url }, response) {
  if (!url.endsWith(".js")) {
    response.writeHead(200, { "content-type": "text/html" }).end(PAGE);
    return;
  }
  const file = await readFile(new URL(`.${url}`, MODULES)).catch(() => undefined);
  response.writeHead(file ? 200 : 404, { "content-type": "text/javascript" }).end(file);
}

/** A page that shows a flag's value, and again when the provider says that it changed. */
async function open(options) {
  const page = await browser.newPage();
  const statuses = [];
  const paths = [];
  page.on("response", (response) => {
    const { pathname } = new URL(response.url());
    if (!pathname.startsWith("/ofrep/") || response.request().method() === "OPTIONS") return;
    paths.push(pathname);
    if (pathname === "/ofrep/v1/evaluate/flags") statuses.push(response.status());
  });
  await page.goto(`http://127.0.0.1:${server.address().port}/`);
  const seen = await page.evaluate(show, { baseUrl: proxy.browsers, ...options });
  return { page, statuses, paths, seen, greeting: (text) => page.waitForFunction(shows, text, { timeout: 20_000 }) };
}

/** In the page. */
async function show(options) {
  const { OpenFeature, ProviderEvents } = await import("@openfeature/web-sdk");
  const { OFREPWebProvider } = await import("@openfeature/ofrep-web-provider");
  await OpenFeature.setContext({ targetingKey: "ada", email: "eve@example.com" });
  await OpenFeature.setProviderAndWait(new OFREPWebProvider(options));
  const client = OpenFeature.getClient();
  const draw = () => {
    document.querySelector("#greeting").textContent = client.getStringValue("greeting", "default");
  };
  client.addHandler(ProviderEvents.ConfigurationChanged, draw);
  draw();
  const of = ({ value, reason, errorCode }) => [value, reason, errorCode];
  return {
    greeting: of(client.getStringDetails("greeting", "default")),
    special: of(client.getBooleanDetails("special", true)),
    retired: of(client.getBooleanDetails("retired", true)),
    limit: of(client.getNumberDetails("limit", 7)),
  };
}

/** In the page. */
function shows(text) {
  return document.querySelector("#greeting").textContent === text;
}

/** The document with another greeting as its default. */
function greeting(variant) {
  const document = structuredClone(proxy.document);
  document.flags.greeting.defaultVariant = variant;
  return document;
}

test("a page sees the flags for clients, and cannot claim what the proxy knows", async () => {
  const { page, seen } = await open({ changeDetection: "none" });
  assert.deepEqual(seen.greeting.slice(0, 2), ["Hello.", "STATIC"]);
  assert.deepEqual(seen.special.slice(0, 2), [false, "DEFAULT"]);
  assert.deepEqual(seen.retired.slice(0, 2), [true, "DISABLED"]);
  assert.deepEqual(seen.limit, [7, "ERROR", "FLAG_NOT_FOUND"]);
  await page.close();
});

test("a change is on the screen by the event stream", async () => {
  const { page, greeting: drawn, paths } = await open({ pollInterval: 0 });
  await drawn("Hello.");
  // At once, perhaps before the stream is open.
  await proxy.publish(greeting("warm"));
  await drawn("Good to see you!");
  assert.ok(paths.includes("/ofrep/v1/stream"), `asked for: ${paths}`);
  await page.close();
});

test("a change is on the screen by polling, and what did not change is a 304", async () => {
  const { page, greeting: drawn, statuses } = await open({ changeDetection: "polling", pollInterval: 100 });
  await drawn("Good to see you!");
  while (statuses.length < 3) await new Promise((resolve) => setTimeout(resolve, 50));
  assert.deepEqual(statuses.slice(0, 3), [200, 304, 304]);
  await proxy.publish(greeting("plain"));
  await drawn("Hello.");
  await page.close();
});
