#!/bin/bash
# The C code in docs/guide and docs/cookbook compiles as it stands there, and the programs talk with each other.
# Arguments: C compiler, include directory, the shared library.
#
# What a page has between fences:
#   a first line with "file: NAME": a file of that name; NAME.c is a program, NAME.h compiles
#   a line of it with "run, while SERVER serves: COMMAND": COMMAND, with SERVER's URL in $URL, prints the page's next block of
#     "text", where "..." stands for anything; "needs PROGRAM" before the comma: not where PROGRAM is missing
#   c without a file: statements that compile in a function with a client, a server and a connection
#   a kind with "typed", such as "sh typed": readme.py does what it says
#   a kind with "released", in guide/install.md: package/routes.sh does what it says
#   any other kind but text, or indented: nothing runs it, and the line above says "Not run"
set -euo pipefail
cc=$1 include=$2 library=$3
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -r "$work"' EXIT
# shellcheck source=tests/programs.sh
. "$here/programs.sh"
PATH=$PATH:/usr/sbin:/usr/local/sbin
shopt -s nullglob
status=0
fail() {
  echo "$1"
  status=1
}

fragment() { # NAME
  if [[ $1 = *.h ]]; then
    printf '#include "%s"\n' "$1" >"$work/fragment.c"
    "$cc" -std=c11 -D_POSIX_C_SOURCE=200809L -Wall -Wextra -Werror -fsyntax-only -I "$include" "$work/fragment.c"
    return
  fi
  {
    printf '#include <netstack_websocket.h>\n#include <stdio.h>\n#include <string.h>\n'
    printf 'void fragment(nsws_client client, nsws_server server, nsws_connection connection);\n'
    printf 'void fragment(nsws_client client, nsws_server server, nsws_connection connection) {\n'
    printf '(void)client, (void)server, (void)connection;\n'
    cat "$work/$1"
    printf '}\n'
  } >"$work/fragment.c"
  "$cc" -std=c99 -Wall -Wextra -Wpedantic -Werror -Wno-unused -fsyntax-only -I "$include" "$work/fragment.c"
}

run() { # SERVER COMMAND EXPECTED: the last is a file
  local said wanted
  start_server "$1"
  said=$(cd "$work" && URL=$url timeout 120 bash -euo pipefail -c "$2") || fail "$2 ends with $?"
  end_server || fail "$1 ends with $?"
  wanted=$(sed 's/[][*?\\]/\\&/g; s/\.\.\./*/g' "$3")
  # shellcheck disable=SC2053
  [[ $said == $wanted ]] || fail "$2 prints:
$said"
}

# Each block of a page becomes PAGE.NUMBER.KIND; each line of a list has the number, the kind, and the line above the block.
blocks() { # PAGE
  awk -v to="$work/block" '
    fenced && /^```$/ { fenced = 0; close(file); next }
    fenced { print > file; next }
    /^```/ { kind = substr($0, 4); number++; file = to "." number; printf "" > file; print number "\t" kind "\t" above; fenced = 1; next }
    /^    [^ ]/ && !indented { print "0\tindented\t" above; indented = 1 }
    !/^    / { indented = 0 }
    /./ { above = $0 }' "$1"
}

runs=()
for page in "$here"/../docs/{guide,cookbook}/*.md; do
  name=${page#"$here"/../}
  rm -f "$work"/block.*
  command=''
  while IFS=$'\t' read -r number kind above; do
    [[ $kind != *" typed" && ($kind != *" released" || $name != docs/guide/install.md) ]] || continue
    block=$work/block.$number
    file=
    [ "$number" = 0 ] || file=$(sed -n '1s/^[/#]\*\{0,1\} file: \([a-z_.]*\).*/\1/p' "$block")
    if [ -n "$file" ]; then
      [ ! -e "$work/$file" ] || fail "$name: there is another $file"
      cp "$block" "$work/$file"
      [[ $file != *.c ]] || compile "${file%.c}" -std=c11 -D_POSIX_C_SOURCE=200809L || fail "$name: $file does not compile"
      [[ $file != *.h ]] || fragment "$file" || fail "$name: $file does not compile"
      grep -q ' serves: ' "$block" || continue
      [ -z "$command" ] || fail "$name: the text that \"$command\" prints is missing"
      peer=$(sed -n 's/^.*run\(, needs [a-z]*\)\{0,1\}, while \([a-z_]*\) serves: .*/\2/p' "$block")
      command=$(sed -n 's/^.* serves: \(.*\)/\1/p' "$block" | sed 's| \*/$||')
      needs=$(sed -n 's/^.*run, needs \([a-z]*\), while .*/\1/p' "$block")
    elif [ "$kind" = text ]; then
      [ -n "$command" ] || fail "$name: nothing prints $(head -1 "$block")"
      if [ -n "$needs" ] && ! command -v "$needs" >/dev/null; then
        echo "$name: not run, $needs is missing"
      else
        mv "$block" "$work/expected.${#runs[@]}"
        runs+=("$peer" "$command" "$work/expected.${#runs[@]}")
      fi
      command=''
    elif [ "$kind" = c ]; then
      fragment "block.$number" || fail "$name: a piece of C does not compile"
    elif [[ $above != *"Not run"* ]]; then
      fail "$name: nothing runs the block below: $above"
    fi
  done < <(blocks "$page")
  [ -z "$command" ] || fail "$name: the text that \"$command\" prints is missing"
done
# The programs that a page has may be on another one.
for ((i = 0; i < ${#runs[@]}; i += 3)); do
  run "${runs[@]:i:3}"
done
[ ${#runs[@]} -gt 0 ] || fail "Nothing was run"

# Names are somewhere.
for page in "$here"/../docs/{README,coming-from}.md "$here"/../docs/{guide,cookbook}/*.md; do
  while read -r word; do
    grep -qrw "$word" "$include" "$here/../CMakeLists.txt" "$here/../ohos" "$here/../tool" || fail "${page#"$here"/../}: $word is nowhere"
  done < <(grep -oE '\b(nsws|NSWS)_\w+' "$page" | sort -u)
  # Members and events, in backticks; the other page has other libraries' names.
  [ "${page##*/}" != coming-from.md ] || continue
  while read -r word; do
    grep -qrw "$word" "$include" || fail "${page#"$here"/../}: $word is nowhere"
  done < <(grep -oE '[`][a-z]+(_[a-z]+)+[`]' "$page" | tr -d '`' | sort -u)
done
# The table of contents has every page.
for page in "$here"/../docs/{guide,cookbook}/*.md "$here"/../docs/[a-z]*.md; do
  grep -qF "(${page#"$here"/../docs/})" "$here/../docs/README.md" || fail "docs/README.md lacks ${page#"$here"/../docs/}"
done
exit $status
