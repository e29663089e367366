# Completion of nsws for bash. Made by tool/generate.py.

_nsws() {
  local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]} words
  if [ "$COMP_CWORD" = 1 ]; then
    mapfile -t COMPREPLY < <(compgen -W "connect send listen echo chat bench ping cert explain help --help --version" -- "$word")
    return
  fi
  case $before in
    --ca | --cert | --file | --key | --output | -f | -o)
      mapfile -t COMPREPLY < <(compgen -f -- "$word")
      return
      ;;
    --color)
      mapfile -t COMPREPLY < <(compgen -W "auto always never" -- "$word")
      return
      ;;
  esac
  case ${COMP_WORDS[1]} in
    connect) words="-b --binary -o --output --timing -H --header -p --protocol --origin --ca --cert --key --pin -k --insecure --tls13 -x --proxy --no-proxy --ping-interval --pong-timeout --connect-timeout --reconnect -z --compress --max-size -j --json --color -q --quiet -v --verbose -h --help" ;;
    send) words="-b --binary -f --file --text -o --output -r --replies -t --timeout --timing -H --header -p --protocol --origin --ca --cert --key --pin -k --insecure --tls13 -x --proxy --no-proxy --ping-interval --pong-timeout --connect-timeout --reconnect -z --compress --max-size -j --json --color -q --quiet -v --verbose -h --help" ;;
    listen) words="-b --binary -o --output -1 --once -p --protocol --cert --key --tls13 --ping-interval --pong-timeout -z --compress --max-size --allow-origins --max-clients -j --json --color -q --quiet -v --verbose -h --help" ;;
    echo) words="-1 --once -p --protocol --cert --key --tls13 --ping-interval --pong-timeout -z --compress --max-size --allow-origins --max-clients -j --json --color -q --quiet -v --verbose -h --help" ;;
    chat) words="-n --name --timing -H --header -p --protocol --origin --ca --cert --key --pin -k --insecure --tls13 -x --proxy --no-proxy --ping-interval --pong-timeout --connect-timeout --reconnect -z --compress --max-size --allow-origins --max-clients -j --json --color -q --quiet -v --verbose -h --help" ;;
    bench) words="-b --binary -c --count -n --connections -d --duration -s --size -w --window --threads -H --header -p --protocol --origin --ca --cert --key --pin -k --insecure --tls13 -x --proxy --no-proxy --ping-interval --pong-timeout --connect-timeout --reconnect -z --compress --max-size -j --json --color -q --quiet -v --verbose -h --help" ;;
    ping) words="-t --timeout -c --count -i --interval -H --header -p --protocol --origin --ca --cert --key --pin -k --insecure --tls13 -x --proxy --no-proxy --ping-interval --pong-timeout --connect-timeout --reconnect -z --compress --max-size -j --json --color -q --quiet -v --verbose -h --help" ;;
    cert) words="--pem -H --header -p --protocol --origin --ca --cert --key --pin -k --insecure --tls13 -x --proxy --no-proxy --ping-interval --pong-timeout --connect-timeout --reconnect -z --compress --max-size -j --json --color -q --quiet -v --verbose -h --help" ;;
    explain) words="-j --json --color -h --help" ;;
    help) words="connect send listen echo chat bench ping cert explain connecting serving exits" ;;
    *) words= ;;
  esac
  mapfile -t COMPREPLY < <(compgen -W "$words" -- "$word")
}
complete -F _nsws nsws
