#!/bin/sh
# Rewrite constraints.txt from the versions installed in an environment. Usage: lock.sh VENV
set -eu

{
    sed -n '/^#/p' constraints.txt
    "$1/bin/python" -m pip freeze --all --exclude-editable |
        grep -v -i -E '^(nvidia-|cuda-|triton=|radfusion)' |
        sed -E 's/\+(cu[0-9]+|cpu)$//' |
        LC_ALL=C sort -f
} >constraints.txt.new
mv constraints.txt.new constraints.txt
