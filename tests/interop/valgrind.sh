#!/bin/sh
# Runs a test program with its peers under valgrind's memcheck; fails on any finding.
#
#     valgrind.sh PROGRAM [ARGUMENTS]
#
# Where TLS is used, undefined values are not looked for: ring's assembly reads its key tables whole,
# including parts that were never written and are never used, and for valgrind everything that follows is undefined.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
memcheck="valgrind --quiet --error-exitcode=99 --child-silent-after-fork=yes --num-callers=30 --leak-check=full"
memcheck="$memcheck --show-leak-kinds=definite,indirect --errors-for-leak-kinds=definite,indirect"
export NSWS_TEST_SLOW="${NSWS_TEST_SLOW:-30}"

run() {
    echo "# ${NSWS_TEST_ONLY:+only $NSWS_TEST_ONLY}${NSWS_TEST_SKIP:+without $NSWS_TEST_SKIP} $1"
    options=$1
    shift
    "${PYTHON:-python3}" "$here/run.py" --wrap "$memcheck $options" "$@"
}

case $(basename "$1") in
    *tls* | *header*)
        run --undef-value-errors=no "$@"
        ;;
    *session* | *legacy* | *reconnect*)
        (export NSWS_TEST_ONLY=tls,c9_; run --undef-value-errors=no "$@")
        (export NSWS_TEST_SKIP=tls,c9_; run --undef-value-errors=yes "$@")
        ;;
    *)
        run --undef-value-errors=yes "$@"
        ;;
esac
