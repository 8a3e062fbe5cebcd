// OFREP's cost: CPU time of the serving process and requests a second, over kept connections, each server in turn and again.
//
//     npm --prefix envoy/ofrep run bench [-- ROUNDS SECONDS]

import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("../../../", import.meta.url));
const ENVOY = process.env.ENVOY_BIN ?? join(ROOT, ".tools/venv/bin/envoy");
const MODULE = process.env.TURQUOISE_WASM ?? join(ROOT, "dist/turquoise.wasm");
const FLOOR = join(ROOT, "target/wasm32-wasip1/wasm/turquoise_benches_floor.wasm");
const [rounds, seconds] = [Number(process.argv[2] ?? 5), Number(process.argv[3] ?? 2)];
const CONNECTIONS = 16;
const PORTS = { module: 18100, direct: 18101, flagd: 18102, floor: 18103 };
const ALL = "/ofrep/v1/evaluate/flags";
const CONTEXT = JSON.stringify({
  context: { targetingKey: "user-17", email: "ada@example.com", plan: "premium", country: "DE", version: "2.3.1", n: 5, beta: true },
});

const folder = await mkdtemp(join(tmpdir(), "turquoise-bench-"));
const servers = [];
try {
  const document = join(folder, "document.json");
  await writeFile(document, JSON.stringify({ flags: flags() }));
  await writeFile(join(folder, "envoy.yaml"), await configuration());
  const envoy = ["-c", join(folder, "envoy.yaml"), "--concurrency", "1", "--disable-hot-restart", "-l", "error"];
  servers.push(spawn(ENVOY, envoy, { stdio: "inherit" }));
  servers.push(spawn(process.execPath, [fileURLToPath(new URL("flagd.js", import.meta.url)), document, PORTS.flagd], { stdio: "inherit" }));
  for (const port of Object.values(PORTS)) await listens(port);
  await measure();
} finally {
  for (const server of servers) server.kill("SIGKILL");
  await rm(folder, { recursive: true });
}

/** Fifty boolean flags, a quarter of each kind: static, a comparison, a list, a share. */
function flags() {
  const targeting = [
    undefined,
    { if: [{ ends_with: [{ var: "email" }, "@example.com"] }, "on", "off"] },
    { if: [{ in: [{ var: "country" }, ["AT", "CH", "DE"]] }, "on", "off"] },
    { fractional: [["on", 30], ["off", 70]] },
  ];
  const flag = (i) => ({ state: "ENABLED", variants: { on: true, off: false }, defaultVariant: "off", targeting: targeting[i % 4] });
  return Object.fromEntries(Array.from({ length: 50 }, (_, i) => [`flag-${i}`, flag(i)]));
}

/**
 * This folder's Envoy, with the document inlined; beside it a listener that answers without the module, and one with a
 * module that answers a constant.
 */
async function configuration() {
  const text = await readFile(new URL("../envoy.yaml", import.meta.url), "utf8");
  const direct = JSON.stringify({ key: "flag-1", reason: "TARGETING_MATCH", value: true, variant: "on" }).replaceAll('"', '\\"');
  const served = text
    .replace("port_value: 10100", `port_value: ${PORTS.module}`)
    .replace("port_value: 10101", `port_value: ${PORTS.direct}`)
    .replace("port_value: 9911", "port_value: 0")
    .replaceAll("dist/turquoise.wasm", MODULE)
    .replaceAll(/"source": .*,$/gm, `"document": ${JSON.stringify({ flags: flags() })},`)
    .replace('"tokens": ["change-me"],', "")
    .replace(/(name: browsers\n(?:.*\n)*?.*http_filters:\n)(?:.*\n)*?( *- name: envoy.filters.http.router)/, "$1$2")
    .replace(/(name: browsers\n\s+domains(?:.*\n)*?)(.*direct_response: )\{ status: 404 \}/, `$1$2{ status: 200, body: { inline_string: "${direct}" } }`);
  const [module] = /^    - name: servers\n(?:      .*\n)+/m.exec(served);
  const floor = module.replaceAll("servers", "floor").replace(MODULE, FLOOR).replace(PORTS.module, PORTS.floor);
  return served.replace(module, module + floor);
}

async function listens(port) {
  for (let i = 0; i < 600; i++) {
    const open = await new Promise((resolve) => {
      const socket = connect(port, "127.0.0.1", () => resolve(true)).on("error", () => resolve(false));
      socket.once("connect", () => socket.destroy());
    });
    if (open) return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error(`nothing listens on ${port}`);
}

async function measure() {
  const [envoy, flagd] = servers.map((server) => server.pid);
  const tags = {};
  for (const name of ["module", "flagd"]) {
    const answer = await fetch(`http://127.0.0.1:${PORTS[name]}${ALL}`, { method: "POST", body: CONTEXT, headers: { "content-type": "application/json" } });
    tags[name] = answer.headers.get("etag");
    if ((await answer.json()).flags.length !== 50) throw new Error(`${name} does not answer with 50 flags`);
  }
  const runs = [
    ["direct response", "one", envoy, PORTS.direct, `${ALL}/flag-1`, {}],
    ["a module's floor", "one", envoy, PORTS.floor, `${ALL}/flag-1`, {}],
    ["module", "one", envoy, PORTS.module, `${ALL}/flag-1`, {}],
    ["flagd-core", "one", flagd, PORTS.flagd, `${ALL}/flag-1`, {}],
    ["module", "50", envoy, PORTS.module, ALL, {}],
    ["flagd-core", "50", flagd, PORTS.flagd, ALL, {}],
    ["module", "304", envoy, PORTS.module, ALL, { "if-none-match": tags.module }],
    ["flagd-core", "304", flagd, PORTS.flagd, ALL, { "if-none-match": tags.flagd }],
  ].map(([who, what, pid, port, path, headers]) => ({ who, what, pid, port, path, headers, cpu: [], rate: [] }));
  for (let round = -1; round < rounds; round++) {
    for (const run of runs) {
      const before = cpu(run.pid);
      const count = await load(run);
      if (round < 0) continue;
      run.cpu.push(((cpu(run.pid) - before) * 1e6) / count);
      run.rate.push(count / seconds);
    }
  }
  const median = (list) => list.sort((a, b) => a - b)[list.length >> 1];
  console.log("| request | server | CPU µs a request | requests a second |\n|---|---|--:|--:|");
  for (const { who, what, cpu, rate } of runs) {
    console.log(`| ${what} | ${who} | ${median(cpu).toFixed(1)} | ${Math.round(median(rate))} |`);
  }
}

/** CPU seconds that a process has used; the kernel counts in hundredths. */
function cpu(pid) {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1].split(" ");
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

/** As many requests as the connections manage, one after another on each. */
async function load({ port, path, headers, what }) {
  const fields = { host: "localhost", "content-type": "application/json", "content-length": CONTEXT.length, ...headers };
  const lines = Object.entries(fields).map(([name, value]) => `${name}: ${value}\r\n`);
  // Envoy ends a connection on which it answers before it has read the body.
  const request = Buffer.from(
    port === PORTS.direct
      ? `GET ${path} HTTP/1.1\r\nhost: localhost\r\n\r\n`
      : `POST ${path} HTTP/1.1\r\n${lines.join("")}\r\n${CONTEXT}`,
  );
  const expected = what === "304" ? "HTTP/1.1 304" : "HTTP/1.1 200";
  let count = 0;
  const end = Date.now() + seconds * 1000;
  const connection = () =>
    new Promise((resolve, reject) => {
      const socket = connect(port, "127.0.0.1").setNoDelay().on("error", reject);
      let had = "";
      socket.on("data", (chunk) => {
        had += chunk.latin1Slice();
        const head = had.indexOf("\r\n\r\n");
        const length = Number(/content-length: (\d+)/i.exec(had)?.[1] ?? 0);
        if (head < 0 || had.length < head + 4 + length) return;
        if (!had.startsWith(expected)) return reject(new Error(had.slice(0, 200)));
        had = "";
        count++;
        if (Date.now() < end) socket.write(request);
        else socket.destroy();
      });
      socket.once("close", resolve);
      socket.write(request);
    });
  await Promise.all(Array.from({ length: CONNECTIONS }, connection));
  return count;
}
