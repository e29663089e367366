#!/bin/sh
# Runs the Autobahn test suite against our client and our server:
#
#     autobahn.sh FOLDER_OF_LIBNETSTACK_WEBSOCKET
#
# The suite needs CPython 2.7: $PYTHON27, python2.7, or one of pyenv's. Without one, this script says that it skips the suite.
# Everything that is installed goes under build/autobahn; the reports are in build/autobahn/reports.
set -eu

library=${1:?"usage: autobahn.sh FOLDER_OF_LIBNETSTACK_WEBSOCKET"}
library=$(cd "$library" && pwd)
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
build=$root/build/autobahn

find_python27() {
    for python in "${PYTHON27:-}" python2.7 "${PYENV_ROOT:-$HOME/.pyenv}"/versions/2.7*/bin/python2.7; do
        # A shim may be there that runs nothing.
        if [ -n "$python" ] && "$python" -c 'import sys; assert sys.version_info[:2] == (2, 7)' 2>/dev/null; then
            "$python" -c 'import sys; sys.stdout.write(sys.executable)'
            return
        fi
    done
    return 1
}

if ! python27=$(find_python27); then
    echo "autobahn: skipped (no CPython 2.7)"
    echo "****** The Autobahn test suite was NOT run. ******" >&2
    exit 0
fi

# virtualenv 20.21.1 is the last that makes environments for 2.7.
if ! "$build/python/bin/python" -c 'import autobahntestsuite' 2>/dev/null; then
    rm -rf "$build"
    mkdir -p "$build"
    python3 -m venv "$build/tools"
    "$build/tools/bin/pip" install --quiet virtualenv==20.21.1
    "$build/tools/bin/virtualenv" --quiet --python "$python27" "$build/python"
    PYTHONWARNINGS=ignore "$build/python/bin/pip" install --quiet autobahntestsuite==25.10.1
fi

for role in client server; do
    ${CC:-cc} -std=c99 -O2 -Wall -Wextra -Werror -I "$root/include" -I "$root/tests/harness" \
        -o "$build/$role" "$root/tests/c/autobahn_$role.c" "$root"/tests/harness/*.c \
        -L "$library" -lnetstack_websocket "-Wl,-rpath,$library" -lpthread
done
exec python3 "$here/autobahn_run.py" "$build/python/bin/python" "$build/client" "$build/server" "$build/reports"
