# For the tests of programs in texts; read by them. They set cc, include, library and work, the folder of the programs.

# WORK/NAME.c becomes WORK/NAME.
compile() { # NAME FLAG...
  "$cc" "${@:2}" -Wall -Wextra -Wpedantic -Werror -I "$include" "$work/$1.c" "$library" -pthread -o "$work/$1"
}

# Starts WORK/NAME, whose first line is its URL, into $url; it ends when its input does.
start_server() { # NAME [ARGUMENT...]
  local program=$1
  shift
  coproc server { cd "$work" && exec "./$program" "$@"; }
  # Bash forgets what it knows of a coproc that ends.
  server_in=${server[1]} server_out=${server[0]} server_pid=${server_PID?}
  read -r -t 60 url <&"$server_out" || { echo "$program prints no URL"; exit 1; }
}

end_server() {
  eval "exec $server_in>&-"
  wait "$server_pid"
}

LD_LIBRARY_PATH=$(dirname "$library")${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
export LD_LIBRARY_PATH
