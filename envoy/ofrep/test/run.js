// Programs of Python's, out of .tools/venv.

import { spawn } from "node:child_process";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

/** Python with the packages of requirements.txt; any other may be named. */
export const PYTHON = process.env.PYTHON_BIN ?? fileURLToPath(new URL("../../../.tools/venv/bin/python", import.meta.url));

/** A program that a package brings, beside that Python. */
export const beside = (name) => join(dirname(PYTHON), name);

/** Runs a program to its end: its exit code, and what it wrote. */
export function run(program, args, options = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, options).once("error", reject);
    let output = "";
    child.stdout.on("data", (chunk) => (output += chunk));
    child.stderr.on("data", (chunk) => (output += chunk));
    child.once("close", (code) => resolve([code, output]));
  });
}
