#!/bin/bash
# Each function has a man page that other programs can read, and that says what the header says.
# Arguments: Python, include directory, the list of symbols.
set -euo pipefail
python=$1 header=$2/netstack_websocket.h symbols=$3
work=$(mktemp -d)
trap 'rm -r "$work"' EXIT
"$python" "$(dirname "$0")/../scripts/manpages" "$header" "$work"
status=0
fail() {
  echo "$1"
  status=1
}

while read -r name _; do
  page=$work/$name.3
  [ -s "$page" ] || { fail "$name has no page"; continue; }
  for section in NAME SYNOPSIS DESCRIPTION "RETURN VALUE" NOTES HISTORY "SEE ALSO"; do
    grep -qx "\.SH $section" "$page" || fail "$name.3 has no $section"
  done
done <"$symbols"
pages=("$work"/nsws_*.3)
structs=$(grep -c '^typedef struct nsws_[a-z_]* {$' "$header")
[ ${#pages[@]} = $(($(wc -l <"$symbols") + structs)) ] || fail "There are ${#pages[@]} pages, for $(wc -l <"$symbols") functions and $structs structs"

# No word of the header's is lost: those of one function, with what the tags become.
grep -q '^\.I struct_size$' "$work/nsws_client_get_stats.3" || fail "A parameter is missing"
[ "$(grep -c '^\.B NSWS_' "$work/nsws_client_connect.3")" = 11 ] || fail "nsws_client_connect.3 lacks results"
[ "$(grep -c '^\.B .*;$' "$work/nsws_connect_options.3")" = "$(awk '/^typedef struct nsws_connect_options \{/, /^}/' "$header" | grep -c "^    [a-z].*;$")" ] ||
  fail "nsws_connect_options.3 lacks members"
! grep -En '@(param|return|note|since)' "$work"/*.3 || fail "A tag is left"

if command -v groff >/dev/null; then
  said=$(groff -man -ww -z -Tutf8 "$work"/*.3 2>&1) || fail "groff fails"
  [ -z "$said" ] || fail "$said"
  # As readers see it: no markup, no escape.
  ! groff -man -Tascii -P-c -P-b -P-u "$work"/*.3 2>/dev/null | grep -nE '\\[efR(&-]|`' || fail "Markup is left"
fi
if command -v mandoc >/dev/null; then
  mandoc -Tlint -Werror "$work"/*.3 || fail "mandoc fails"
fi
exit $status
