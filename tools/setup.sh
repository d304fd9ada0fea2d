#!/usr/bin/env bash
# Make .venv hold smalltune and everything it needs, in the versions of constraints.txt.
# A stamp over pyproject.toml, constraints.txt and the choice of torch ends the second call at once.
#   PYTHON       the interpreter (default: the newest of python3.13 to python3.11, then python3)
#   TORCH        cpu (default) or cuda; remembered in .venv until it is named again
#   TORCH_INDEX  another index of torch wheels, e.g. one for an older CUDA
set -euo pipefail
cd "$(dirname "$0")/.."
unset PYTHONDONTWRITEBYTECODE # Compiled once: without bytecode every start pays for it again.

cpu_wheels=https://download.pytorch.org/whl/cpu # PyTorch's own; the usual Linux wheel holds CUDA.
venv=.venv
python=$venv/bin/python

die() {
    printf '%s\n' "$@" >&2
    exit 1
}

recent_enough() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; }

version_of() { "$1" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null; }

find_python() {
    local candidate
    if [ -n "${PYTHON:-}" ]; then
        recent_enough "$PYTHON" && echo "$PYTHON" && return
        die "PYTHON=$PYTHON is $(version_of "$PYTHON" || echo "no Python that runs"); smalltune needs 3.11 or newer."
    fi
    for candidate in python3.13 python3.12 python3.11 python3; do
        recent_enough "$candidate" && echo "$candidate" && return
    done
    die "smalltune needs Python 3.11 or newer; python3 here is $(version_of python3 || echo missing)." \
        "Install one (Debian 12: apt-get install python3 python3-venv; macOS: brew install python@3.13)" \
        "or name one that is not on the PATH: make PYTHON=/path/to/python3.11"
}

# Whether .venv runs, and is of the Python that was named.
venv_fits() {
    recent_enough "$python" &&
        { [ -z "${PYTHON:-}" ] || [ "$(version_of "$PYTHON")" = "$(version_of "$python")" ]; }
}

make_venv() {
    local base
    base=$(find_python)
    if ! "$base" -c 'import ensurepip, venv' 2>/dev/null; then
        tools/apt.sh "python$(version_of "$base")-venv" ||
            die "$base has no venv module. Install it (Debian, Ubuntu: apt-get install python3-venv)."
    fi
    echo "Setting up $venv with Python $(version_of "$base") ..."
    "$base" -m venv --clear "$venv"
}

reachable() { # Whether an index answers, whatever it says, within four seconds.
    { "$python" - "$1" <<'PYTHON'; } >/dev/null 2>&1
import signal, ssl, sys, urllib.error, urllib.request

signal.alarm(5)  # A name server that is silent is not covered by the timeout below.
try:
    urllib.request.urlopen(urllib.request.Request(sys.argv[1], method="HEAD"), timeout=4)
except urllib.error.HTTPError:
    pass
except urllib.error.URLError as error:
    sys.exit(not isinstance(error.reason, ssl.SSLError))
PYTHON
}

# torch comes first and alone: an index beside the usual one would be asked for every package, with
# minutes of retries when it cannot be reached, and uv stops at such an index.
install_torch() {
    local index=$1 pin extra=()
    pin=$(grep '^torch==' constraints.txt)
    if reachable "$index"; then
        extra=(--extra-index-url "$index")
    else
        echo "$index cannot be reached: taking the torch that pip finds elsewhere."
        echo "On Linux that may be the CUDA build, several GB with its libraries."
    fi
    "$python" -m pip install --no-deps ${extra[@]+"${extra[@]}"} "$pin"
}

install_all() {
    local index=${PIP_INDEX_URL:-}
    if "$python" -m pip install --quiet -c constraints.txt uv &&
        "$venv/bin/uv" pip install --python "$python" ${index:+--default-index "$index"} \
            --compile-bytecode -c constraints.txt -e '.[dev]'; then
        return
    fi
    echo "uv could not install the packages; pip takes over (slower)."
    "$python" -m pip install -c constraints.txt -e '.[dev]'
}

# The build of torch: what is named now, else what .venv was made with, else the CPU build.
before=$(cat "$venv/.torch" 2>/dev/null || echo cpu)
build=$before
if [ -n "${TORCH:-}${TORCH_INDEX:-}" ]; then build="${TORCH:-cpu}${TORCH_INDEX:+ $TORCH_INDEX}"; fi
case $build in
    *' '*) index=${build#* } ;;
    cpu) if [ "$(uname -s)" = Darwin ]; then index=; else index=$cpu_wheels; fi ;;
    cuda) index= ;;
    *) die "TORCH=$TORCH: choose cpu or cuda." ;;
esac

stamp="$(cat pyproject.toml constraints.txt | cksum) $build in $PWD"
if [ "$(cat "$venv/.stamp" 2>/dev/null)" = "$stamp" ] && venv_fits; then exit 0; fi

if ! venv_fits; then make_venv; fi
rm -f "$venv/.stamp"
# All builds share one version number, so a change of build must take the old one out first.
if [ "$build" != "$before" ]; then "$python" -m pip uninstall --quiet --yes torch; fi
echo "$build" >"$venv/.torch"
if [ -n "$index" ]; then install_torch "$index"; fi
install_all
echo "$stamp" >"$venv/.stamp"
