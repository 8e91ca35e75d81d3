#!/bin/sh
# Make or renew the virtual environment. Usage: install.sh VENV; PYTHON=... chooses the Python.
set -eu

venv=$1
started=$(date +%s)
say() { printf '==> %s\n' "$1"; }

say "1/3 checking this machine"
python=$(sh scripts/preflight.sh)
say "    $("$python" -V) ($python)"

if [ -x "$venv/bin/python" ] && "$venv/bin/python" -m pip --version >/dev/null 2>&1; then
    say "2/3 reusing the environment $venv"
else
    say "2/3 creating the environment $venv"
    "$python" -m venv --clear "$venv"
fi

say "3/3 installing the pinned packages (torch is large: several GB to download the first time, some minutes)"
export PIP_DISABLE_PIP_VERSION_CHECK=1
"$venv/bin/python" -m pip install --quiet --constraint constraints.txt --upgrade pip
"$venv/bin/python" -m pip install --requirement requirements.txt
say "installed in $(($(date +%s) - started)) s"
