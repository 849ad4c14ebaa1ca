#!/bin/sh
# Requests a page from php-fpm, twice with each of three configurations: the default settings, where the package reports what to set; the settings
# that it reports; and ffi.enable=1. Needs php-fpm and cgi-fcgi. KVL_LIBRARY is the path of the library, unless the package contains it.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
package=${KVL_PACKAGE:-$(dirname "$here")}
fpm=$(command -v php-fpm || ls /usr/sbin/php-fpm* | head -n 1)

work=$(mktemp -d)
server=
trap '[ -z "$server" ] || kill "$server" 2>/dev/null; rm -rf "$work"' EXIT
chmod 755 "$work"
# A server that has dropped its privileges may not be able to read the folder of a checkout.
cp -r "$package/src" "$package/kvlight.php" "$package/preload.php" "$package/kvlight.ffi.h" "$work/"
cp -L "${KVL_LIBRARY:-$package/lib/libkvlight.so}" "$work/$(sed -n 's/^#define FFI_LIB "\(.*\)"/\1/p' "$package/kvlight.ffi.h")"
chmod -R a+rX "$work"
cat >"$work/page.php" <<'PHP'
<?php
require __DIR__ . '/kvlight.php';
try {
    $requests = 0;
    $tasks = new Kvlight\Tasks(function (array $ids) use (&$requests) { $requests++; return array_combine($ids, array_map(fn ($id) => [$id], $ids)); });
    echo PHP_SAPI, ': ', json_encode($tasks->fetchAll(['a', 'b', 'a'])), " in $requests request\n";
    $tasks->close();
} catch (Throwable $error) {
    echo $error->getMessage(), "\n";
}
PHP
user=$(id -un)
[ "$(id -u)" = 0 ] && user=nobody
cat >"$work/fpm.conf" <<CONF
[global]
error_log = $work/error.log
[www]
listen = $work/socket
listen.mode = 0666
pm = static
pm.max_children = 2
clear_env = no
CONF
[ "$(id -u)" = 0 ] && printf 'user = nobody\ngroup = nogroup\n' >>"$work/fpm.conf"

# Starts the server with the given options, and writes the page's output for two requests to the file `output`.
serve() {
    (unset KVL_LIBRARY && LD_LIBRARY_PATH="$work" exec "$fpm" -F -y "$work/fpm.conf" -p "$work" "$@") >"$work/fpm.log" 2>&1 &
    server=$!
    for _ in $(seq 100); do
        [ -S "$work/socket" ] && break
        sleep 0.1
    done
    : >"$work/output"
    for _ in 1 2; do
        SCRIPT_FILENAME="$work/page.php" SCRIPT_NAME=/page.php REQUEST_METHOD=GET \
            cgi-fcgi -bind -connect "$work/socket" >>"$work/output" 2>&1 || true
    done
    kill "$server" 2>/dev/null || true
    wait "$server" || true
    server=
    rm -f "$work/socket"
}

expect() {
    if [ "$(grep -c "$1" "$work/output")" != 2 ]; then
        echo "not ok - $2" >&2
        cat "$work/output" "$work/fpm.log" "$work/error.log" >&2
        exit 1
    fi
    echo "ok - $2"
}

serve
expect 'FFI is restricted here (ffi.enable=preload): set ffi.preload=.*/kvlight.ffi.h and opcache.preload=.*/preload.php in php.ini' 'a web server without preloading reports what to set'
serve -d "ffi.preload=$work/kvlight.ffi.h" -d opcache.enable=1 -d "opcache.preload=$work/preload.php" -d "opcache.preload_user=$user"
expect '^fpm-fcgi: \[\["a"\],\["b"\],\["a"\]\] in 1 request' 'a web server with ffi.preload and opcache.preload'
serve -d ffi.enable=1
expect '^fpm-fcgi: \[\["a"\],\["b"\],\["a"\]\] in 1 request' 'a web server with ffi.enable=1'
