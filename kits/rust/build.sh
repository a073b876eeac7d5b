#!/bin/sh
# Builds a program, and puts it where it is wanted: build.sh --release|--debug PROGRAM OUTPUT
set -eu
folder=target/${1#--}
[ "$1" = --release ] && profile=--release || profile=
cargo build --locked --quiet $profile --bin "$2"
cp "$folder/$2" "$3"
