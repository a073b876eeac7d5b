/** Installs the packages that package-lock.json names, unless that has been done. */

import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, rmdirSync, statSync, writeFileSync } from "node:fs";
import { resolve } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const LOCK = resolve(ROOT, "package-lock.json");
const INSTALLED = resolve(ROOT, "node_modules", ".installed-from");
const ALONE = resolve(ROOT, ".npm-install.lock");

const LONGEST = 300_000;

const wanted = readFileSync(LOCK, "utf8");

function begun(path) {
  return statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? Date.now();
}

function there() {
  return existsSync(INSTALLED) && readFileSync(INSTALLED, "utf8") === wanted;
}

// Services are built side by side: one of them installs, the others wait for it.
while (!there()) {
  try {
    mkdirSync(ALONE);
  } catch {
    if (Date.now() - begun(ALONE) > LONGEST) rmdirSync(ALONE); // whoever installed was killed
    await pause(100);
    continue;
  }
  try {
    if (there()) break;
    execFileSync("npm", ["ci", "--silent"], { cwd: ROOT, stdio: "inherit" });
    writeFileSync(INSTALLED, wanted);
  } finally {
    rmdirSync(ALONE);
  }
}
