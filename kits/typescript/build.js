/**
 * Makes a program of this workspace ready to run: installs packages where that has not been done, compiles, and writes a
 * launcher.
 *
 *     node kits/typescript/build.js PROJECT MAIN OUTPUT
 *
 * PROJECT is the folder with the tsconfig.json, MAIN the compiled module below it, OUTPUT the launcher's path. Compiled
 * modules stay beside their sources, where Node finds the packages that they import.
 */

import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

import "../../tools/packages.js";

const ROOT = new URL("../..", import.meta.url);

const [project, main, output] = process.argv.slice(2);
if (!project || !main || !output) {
  console.error("usage: node kits/typescript/build.js PROJECT MAIN OUTPUT");
  process.exit(2);
}
const compiler = fileURLToPath(new URL("node_modules/typescript/bin/tsc", ROOT));
const compiled = spawnSync(process.execPath, [compiler, "-b", project], { cwd: ROOT, stdio: "inherit" });
if (compiled.status !== 0) process.exit(1);
writeFileSync(output, `import(${JSON.stringify(new URL(`${project}/${main}`, ROOT).href)});\n`);
