// A real Envoy with this folder's envoy.yaml on free ports, and `turquoise serve` behind it.

import { spawn } from "node:child_process";
import { mkdtemp, readFile, rename, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("../../../", import.meta.url));
const ENVOY = process.env.ENVOY_BIN ?? join(ROOT, ".tools/venv/bin/envoy");
const MODULE = process.env.TURQUOISE_WASM ?? join(ROOT, "dist/turquoise.wasm");
const TURQUOISE = process.env.TURQUOISE_BIN ?? join(ROOT, "target/release/turquoise");
const PATIENCE_MS = 60_000;

/** Starts everything; `origin` is the web origin whose scripts may ask, `change` what is changed in envoy.yaml. */
export async function startProxy({ origin = "http://localhost:8080", change = (yaml) => yaml } = {}) {
  const folder = await mkdtemp(join(tmpdir(), "turquoise-ofrep-"));
  const [servers, browsers, admin, source] = await Promise.all([freePort(), freePort(), freePort(), freePort()]);
  const file = join(folder, "document.json");
  const text = await readFile(new URL("../document.json", import.meta.url), "utf8");
  await writeFile(file, text);

  let yaml = await readFile(new URL("../envoy.yaml", import.meta.url), "utf8");
  const replace = (from, to) => {
    if (!yaml.includes(from)) throw new Error(`envoy.yaml has no \`${from}\` to replace`);
    yaml = yaml.replaceAll(from, to);
  };
  replace("port_value: 10100", `port_value: ${servers}`);
  replace("port_value: 10101", `port_value: ${browsers}`);
  replace("port_value: 9911", `port_value: ${admin}`);
  replace("port_value: 8099", `port_value: ${source}`);
  replace("dist/turquoise.wasm", MODULE);
  replace("http://localhost:8080", origin);
  await writeFile(join(folder, "envoy.yaml"), change(yaml));

  const children = [
    start(TURQUOISE, ["serve", file, "--listen", `127.0.0.1:${source}`]),
    start(ENVOY, ["-c", join(folder, "envoy.yaml"), "--concurrency", "2", "--disable-hot-restart", "-l", "warning"]),
  ];
  const proxy = {
    servers: `http://127.0.0.1:${servers}`,
    browsers: `http://127.0.0.1:${browsers}`,
    document: JSON.parse(text),
    /** Replaces the document, as editors do: renamed into place. */
    async publish(document) {
      await writeFile(`${file}.new`, JSON.stringify(document));
      await rename(`${file}.new`, file);
    },
    async stop() {
      await Promise.all(children.map((child) => child.stop()));
      await rm(folder, { recursive: true });
    },
  };
  try {
    await until(() => hasDocument(proxy), () => children.map((child) => child.log()).join("\n"));
  } catch (error) {
    await proxy.stop();
    throw error;
  }
  return proxy;
}

/** Both listeners answer from the document, and not from before it came. */
async function hasDocument({ servers, browsers }) {
  for (const [base, headers] of [[servers, { "x-api-key": "change-me" }], [browsers, {}]]) {
    const answer = await fetch(`${base}/ofrep/v1/evaluate/flags`, { method: "POST", headers }).catch(() => undefined);
    if (!answer?.ok || (await answer.json()).flags.length === 0) return false;
  }
  return true;
}

/** Waits until `holds` does. */
export async function until(holds, explain = () => "") {
  const deadline = Date.now() + PATIENCE_MS;
  while (!(await holds())) {
    if (Date.now() > deadline) throw new Error(`not within ${PATIENCE_MS} ms\n${explain()}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

function start(program, args) {
  const child = spawn(program, args, { stdio: ["ignore", "pipe", "pipe"] });
  let log = "";
  const keep = (chunk) => (log = (log + chunk).slice(-8000));
  child.stdout.on("data", keep);
  child.stderr.on("data", keep);
  child.on("error", (error) => keep(`cannot start ${program}: ${error.message}\n`));
  const ended = new Promise((resolve) => child.once("close", resolve).once("error", resolve));
  return {
    log: () => log,
    stop() {
      child.kill("SIGKILL");
      return ended;
    },
  };
}

function freePort() {
  return new Promise((resolve, reject) => {
    const server = createServer().once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}
