#!/usr/bin/env bash
# Make benchmarks/.venv and run the benchmark; arguments go to benchmarks/run.py.
# The environment lies on top of .venv: it sees the very packages that smalltune is tested with
# and adds the peers, so that both sides of a pair share torch, Transformers and PEFT to the byte.
# A stamp over requirements, constraints and .venv ends the second set-up at once.
set -euo pipefail
cd "$(dirname "$0")/.."
unset PYTHONDONTWRITEBYTECODE # Compiled once: without bytecode every start pays for it again.

below=.venv
venv=benchmarks/.venv
python=$venv/bin/python

if [ ! -x "$below/bin/python" ]; then
    echo "$below is missing: run make setup first." >&2
    exit 1
fi

make_venv() {
    local packages
    echo "Setting up $venv ..."
    "$below/bin/python" -m venv --clear --without-pip "$venv"
    packages=$("$below/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
    # A line that begins with import is run at every start; addsitedir also reads the .pth files
    # of that folder, through which smalltune itself is found.
    echo "import site; site.addsitedir('$packages')" \
        >"$("$python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/below.pth"
}

# The list is complete, so nothing is resolved: what .venv holds is not installed again.
install_peers() {
    local index=${PIP_INDEX_URL:-}
    if "$below/bin/uv" pip install --python "$python" ${index:+--default-index "$index"} \
        --compile-bytecode --no-deps -r benchmarks/requirements.txt; then
        return
    fi
    echo "uv could not install the packages; pip takes over (slower)."
    "$below/bin/python" -m pip --python "$python" install --no-deps -r benchmarks/requirements.txt
}

stamp="$(cat benchmarks/requirements.txt constraints.txt | cksum) $(cat $below/.stamp) in $PWD"
if [ "$(cat "$venv/.stamp" 2>/dev/null)" != "$stamp" ]; then
    make_venv
    install_peers
    "$below/bin/python" -m pip --python "$python" check
    echo "$stamp" >"$venv/.stamp"
fi

exec "$python" benchmarks/run.py "$@"
