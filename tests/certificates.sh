#!/bin/bash
# The README's commands about certificates do what is printed below them. Arguments: the chat program, a Python with websockets.
set -euo pipefail
chat=$1 python=$2 source=$(cd "$(dirname "$0")/.." && pwd)
work=$(mktemp -d)
trap 'rm -r "$work"' EXIT
mkdir "$work/bin" "$work/files"
ln -s "$chat" "$work/bin/chat"
printf '#!/bin/bash\nexec "%s" "%s/examples/c/demo_server.py" "$@"\n' "$python" "$source" >"$work/bin/demo_server.py"
chmod +x "$work/bin/demo_server.py"
# The section's first block.
echo 'trap "kill \$!" EXIT' >"$work/commands"
awk '/^## Certificates/ { section = 1 } section && /^```$/ { exit } block { print } section && /^```sh$/ { block = 1 }' \
  "$source/README.md" >>"$work/commands"

# The last one fails, as it should.
(cd "$work/files" && PATH="$work/bin:$PATH" bash "$work/commands" </dev/null >"$work/output" 2>&1) || [ $? = 1 ]

fail() {
  printf '%s\n' "$@"
  cat "$work/output"
  exit 1
}
[ "$(grep -c '^close: code 1000 "", clean$' "$work/output")" = 3 ] || fail "not three connections"
# What comes after "# error:" is what came, with anything for "...", in that order.
sed -n 's/^# \(error:.*\)/\1/p' "$work/commands" >"$work/promised"
grep '^error:' "$work/output" >"$work/errors"
[ "$(wc -l <"$work/promised")" = "$(wc -l <"$work/errors")" ] || fail "not as many errors as promised"
[ -s "$work/promised" ] || fail "no error is promised"
while IFS= read -r promised <&3 && IFS= read -r error <&4; do
  # shellcheck disable=SC2053 # a pattern
  pattern=$(sed 's/[][*?\\]/\\&/g; s/\.\.\./*/g' <<<"$promised")
  [[ $error == $pattern ]] || fail "promised: $promised" "came: $error"
done 3<"$work/promised" 4<"$work/errors"
