#!/bin/sh
# Check that this machine has what the installation needs. Prints the Python to use on standard output; names what is
# missing, and the line that installs it, on standard error. PYTHON=... chooses a Python instead of searching for one.
set -u

NEED_GB=10
APT_LINE="apt-get install build-essential python3-dev python3-venv git make"
missing=""

has() { command -v "$1" >/dev/null 2>&1; }

add() {
    missing="${missing}  - $1
"
}

supported() { "$1" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))' >/dev/null 2>&1; }

has_venv() { "$1" -c 'import ensurepip, venv' >/dev/null 2>&1; }

has_headers() {
    "$1" -c 'import pathlib, sys, sysconfig
sys.exit(not (pathlib.Path(sysconfig.get_path("include")) / "Python.h").is_file())' >/dev/null 2>&1
}

# The first supported Python that is complete; failing that, the first supported one, so that its gaps can be named.
choose_python() {
    first=""
    for candidate in ${PYTHON:-python3.13 python3.12 python3.11 python3}; do
        supported "$candidate" || continue
        if has_venv "$candidate" && has_headers "$candidate"; then
            echo "$candidate"
            return
        fi
        [ -n "$first" ] || first=$candidate
    done
    echo "$first"
}

has git || add "git"
has make || add "make"
has cc || has gcc || has clang || add "a C compiler (PyRadiomics is compiled during installation)"

python=$(choose_python)
if [ -z "$python" ]; then
    add "Python 3.11, 3.12 or 3.13 (tried: ${PYTHON:-python3.13 python3.12 python3.11 python3})"
else
    has_venv "$python" || add "the venv module of $("$python" -V)"
    has_headers "$python" || add "the headers of $("$python" -V) (Python.h)"
fi

if [ -n "$missing" ]; then
    {
        printf 'radfusion: this machine lacks\n%s' "$missing"
        printf 'On Debian or Ubuntu, install with\n  %s\n' "$APT_LINE"
        printf 'Another Python is named by PYTHON=/path/to/python3, as in: make test PYTHON=/path/to/python3\n'
    } >&2
    exit 1
fi

free_gb=$(df -Pk . | awk 'NR == 2 { print int($4 / 1048576) }')
if [ "$free_gb" -lt "$NEED_GB" ]; then
    echo "radfusion: ${free_gb} GB free here; the environment takes about 7 GB and the installation up to ${NEED_GB} GB" >&2
fi
echo "$python"
