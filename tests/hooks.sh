#!/bin/bash
# The commit-msg hook accepts messages of the form that CONTRIBUTING.md asks for, and refuses others.
set -euo pipefail
if ! command -v git >/dev/null; then
  echo 'SKIPPED: there is no git'
  exit 77
fi
hook=$(realpath "$(dirname "$0")/../scripts/hooks/commit-msg")
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
git init -q
git config core.hooksPath "$(dirname "$hook")"
git config user.name Test
git config user.email test@example.com
longest=$(printf 'x%.0s' {1..72})

takes() { git commit -q --allow-empty -m "$1" || { echo "refused: $1"; exit 1; }; }
refuses() { # MESSAGE WHY
  local said
  said=$(! git commit -q --allow-empty -m "$1" 2>&1) || { echo "taken: $1"; exit 1; }
  grep -q "$2" <<<"$said" || { echo "$said"; exit 1; }
}

takes "$longest"
takes "Say what changes"$'\n\n'"And why, in lines of any length: $longest $longest"
# Characters, not bytes.
takes "${longest//x/é}"
takes "fixup! $longest"
refuses "x$longest" '73 characters'
refuses "Say what changes"$'\n'"and go on" 'must be empty'
# Comments don't count, nor does what git adds below its scissors line.
printf '%s\n' "# $longest x" "$longest" '# second' '' why '# ------------------------ >8 ------------------------' 'diff' >message
"$hook" message
