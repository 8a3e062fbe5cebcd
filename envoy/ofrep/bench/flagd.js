// OFREP as an HTTP server of Node's answers it, evaluating with OpenFeature's own @openfeature/flagd-core. The answers' ETag
// is a hash of the finished answer: flagd has none, and GO Feature Flag does it so.

import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { FlagdCore } from "@openfeature/flagd-core";

const [file, port] = process.argv.slice(2);
const core = new FlagdCore();
core.setConfigurations(readFileSync(file, "utf8"));
const log = { error() {}, warn() {}, info() {}, debug() {} };
const PREFIX = "/ofrep/v1/evaluate/flags";

createServer((request, response) => {
  const pieces = [];
  request.on("data", (piece) => pieces.push(piece));
  request.on("end", () => {
    const { context = {} } = JSON.parse(Buffer.concat(pieces).toString() || "{}");
    if (request.url !== PREFIX) {
      const key = decodeURIComponent(request.url.slice(PREFIX.length + 1));
      const { value, reason, variant, flagMetadata } = core.resolveBooleanEvaluation(key, false, context, log);
      return answer(response, 200, JSON.stringify({ key, value, reason, variant, metadata: flagMetadata }));
    }
    const flags = core.resolveAll(context, log).map(({ flagKey, value, reason, variant, flagMetadata }) => {
      return { key: flagKey, value, reason, variant, metadata: flagMetadata };
    });
    const body = JSON.stringify({ flags });
    const etag = `"${createHash("md5").update(body).digest("hex")}"`;
    if (request.headers["if-none-match"] === etag) return answer(response, 304, "", etag);
    answer(response, 200, body, etag);
  });
}).listen(Number(port), "127.0.0.1");

function answer(response, status, body, etag) {
  const headers = { "content-type": "application/json", "content-length": Buffer.byteLength(body) };
  if (etag) headers.etag = etag;
  response.writeHead(status, status === 304 ? { etag } : headers).end(body);
}
