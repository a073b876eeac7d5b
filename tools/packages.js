/** Installs the packages that package-lock.json names, unless that has been done. */

import { spawnSync } from "node:child_process";
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { resolve } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const INSTALLED = resolve(ROOT, "node_modules", ".installed-from");
const LOCK = resolve(ROOT, ".npm-install.lock");

const wanted = readFileSync(resolve(ROOT, "package-lock.json"), "utf8");

function there() {
  return existsSync(INSTALLED) && readFileSync(INSTALLED, "utf8") === wanted;
}

/** Be the one that installs, unless another process is: services are built side by side. */
function locked() {
  try {
    writeFileSync(LOCK, `${process.pid}`, { flag: "wx" });
    return true;
  } catch {
    if (!runs(holder())) rmSync(LOCK, { force: true });
    return false;
  }
}

function holder() {
  return existsSync(LOCK) ? Number(readFileSync(LOCK, "utf8")) : process.pid;
}

/** A process that has not written its id yet counts as running. */
function runs(pid) {
  try {
    return pid === 0 || process.kill(pid, 0);
  } catch {
    return false;
  }
}

function install() {
  const done = spawnSync("npm", ["ci", "--loglevel=error"], { cwd: ROOT, stdio: ["ignore", "ignore", "inherit"] });
  if (done.status !== 0) {
    console.error("the packages in package-lock.json can't be had: npm ci failed; is the network up?");
    return false;
  }
  writeFileSync(INSTALLED, wanted);
  return true;
}

let good = true;
while (good && !there()) {
  if (!locked()) {
    await pause(100);
    continue;
  }
  try {
    good = there() || install();
  } finally {
    rmSync(LOCK, { force: true });
  }
}
if (!good) process.exit(1);
