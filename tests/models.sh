#!/bin/bash
# Tries every order in which threads can take the locks of the handle table and the mailbox (loom), in tests/models.
#
#     models.sh TARGET_DIR
set -euo pipefail
target=$(realpath -m "$1")
cd "$(dirname "$0")/models"
# Of the sources under test, those that have tests of their own are tested elsewhere.
cargo test --locked --release --target-dir "$target" -- handles:: mailboxes::
