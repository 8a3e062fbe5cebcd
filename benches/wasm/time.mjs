// Times the same loop over the same core natively and as WebAssembly under V8, in turn, and prints the table of
// BENCHMARKS.md. It builds both, so neither is stale: node benches/wasm/time.mjs
//
// --test runs everything once and compares nothing.

import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../..', import.meta.url));
const test = process.argv.includes('--test');
const rounds = test ? 1 : 25;
const scenarios = ['static', 'in-list', 'in-text', 'fractional-3', 'sem-ver', 'conditions-5'];

const cargo = (...parameters) => {
  execFileSync('cargo', ['build', '--quiet', '--profile', 'wasm', ...parameters], { cwd: root, stdio: 'inherit' });
};
const { target_directory: target } = JSON.parse(
  execFileSync('cargo', ['metadata', '--no-deps', '--format-version', '1'], { cwd: root, maxBuffer: 1 << 26 }),
);

cargo('-p', 'turquoise-benches', '--example', 'native');
cargo('-p', 'turquoise-benches-wasm', '--target', 'wasm32-unknown-unknown');
const native = `${target}/wasm/examples/native`;
const bytes = readFileSync(`${target}/wasm32-unknown-unknown/wasm/turquoise_benches_wasm.wasm`);
const { instance } = await WebAssembly.instantiate(bytes, {});

const timeNative = (scenario, attributes, times) =>
  Number(execFileSync(native, [scenario, attributes, times].map(String)));

const timeWasm = (scenario, attributes, times) => {
  // Instances are shared, so V8 has compiled the loop to its best code after the first rounds.
  const start = performance.now();
  if (instance.exports.run(scenario, times) !== times) throw new Error(`${scenarios[scenario]}: no variant`);
  return ((performance.now() - start) * 1e6) / times;
};

const median = (values) => values.sort((a, b) => a - b)[values.length >> 1];

console.log(`module: ${bytes.length} bytes; Node ${process.version}, V8 ${process.versions.v8}\n`);
console.log('| rule, attributes | native, ns | wasm under V8, ns | times |');
console.log('|---|--:|--:|--:|');
for (const attributes of [7, 107]) {
  instance.exports.prepare(attributes);
  for (const [scenario, name] of scenarios.entries()) {
    const times = test ? 10 : 300_000;
    for (let warm = 0; warm < (test ? 0 : 5); warm++) timeWasm(scenario, attributes, times);
    const pairs = Array.from({ length: rounds }, () => [
      timeNative(scenario, attributes, times),
      timeWasm(scenario, attributes, times),
    ]);
    const best = (side) => Math.min(...pairs.map((pair) => pair[side])).toFixed(1);
    const ratio = median(pairs.map(([nativeTime, wasmTime]) => wasmTime / nativeTime)).toFixed(2);
    console.log(`| ${name}, ${attributes} | ${best(0)} | ${best(1)} | ${ratio} |`);
  }
}
