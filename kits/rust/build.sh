#!/bin/sh
# Builds a program, and puts it where it is wanted: build.sh PROGRAM OUTPUT
set -eu
cargo build --locked --quiet --bin "$1"
cp "target/debug/$1" "$2.part"
mv "$2.part" "$2" # one that runs can't be written to, but can be replaced
