// Compiles hostile documents under V8 as the filter does, in steps, and prints how long all of it and the longest step
// took: node benches/wasm/hostile.mjs [BYTES [PART OF A NAME]]
//
// The steps are those of `Compilation::advance` with 4 KiB, and what follows them. It builds the module first.

import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../..', import.meta.url));
const size = Number(process.argv[2] ?? 4 << 20);
const wanted = process.argv[3] ?? '';
const step = 4 << 10;

const cargo = (...parameters) =>
  execFileSync('cargo', parameters, { cwd: root, maxBuffer: 1 << 26, stdio: ['ignore', 'pipe', 'inherit'] });
cargo('build', '--quiet', '--profile', 'wasm', '-p', 'turquoise-benches-wasm', '--target', 'wasm32-unknown-unknown');
const { target_directory: target } = JSON.parse(cargo('metadata', '--no-deps', '--format-version', '1'));
const bytes = readFileSync(`${target}/wasm32-unknown-unknown/wasm/turquoise_benches_wasm.wasm`);
const module = await WebAssembly.compile(bytes);
const names = [...readFileSync(`${root}/core/src/fuzzing/hostile.rs`, 'utf8').matchAll(/^ {4}\("([^"]+)", /gm)];

const compile = (wasm, number, bytes) => {
  const length = wasm.write_hostile(number, bytes);
  let [all, longest, where] = [0, 0, ''];
  const timed = (name) => {
    const start = performance.now();
    const result = wasm[name](step);
    const time = performance.now() - start;
    all += time;
    if (time > longest) [longest, where] = [time, name];
    return result;
  };
  timed('begin');
  while (!timed('advance'));
  timed('finish');
  timed('forget');
  return { length, all, longest, where };
};

console.log('| document | bytes | ms | longest step, ms | which |\n|---|--:|--:|--:|---|');
for (const [number, [, name]] of names.entries()) {
  if (!name.includes(wanted)) continue;
  const { exports: wasm } = await WebAssembly.instantiate(module, {});
  // V8 compiles to its best code after a while.
  for (let warm = 0; warm < 3; warm++) compile(wasm, number, 100_000);
  const { length, all, longest, where } = compile(wasm, number, size);
  console.log(`| ${name} | ${length} | ${all.toFixed(1)} | ${longest.toFixed(2)} | ${where} |`);
}
