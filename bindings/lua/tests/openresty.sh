#!/bin/sh
# Tests kvlight.ngx in a running nginx: two concurrent requests for one key, and a third that is answered meanwhile; a client that disconnects; a
# reload. Uses Debian's nginx and its Lua module. If these are not installed, they are unpacked into a folder, since Debian's two LuaJITs cannot be
# installed together. KVL_LIBRARY is the path of the library.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
server=
trap '[ -z "$server" ] || kill -QUIT "$server" 2>/dev/null || true; rm -rf "$work"' EXIT
chmod 755 "$work"

root=
if ! [ -e /usr/lib/nginx/modules/ngx_http_lua_module.so ]; then
    echo "# unpacking nginx"
    mkdir "$work/debs" "$work/root"
    (cd "$work/debs" && { apt-get download nginx libnginx-mod-http-lua libnginx-mod-http-ndk lua-resty-core lua-resty-lrucache \
        libluajit2-5.1-2 libpcre3 >/dev/null 2>&1 || { apt-get update -qq && apt-get download nginx libnginx-mod-http-lua \
        libnginx-mod-http-ndk lua-resty-core lua-resty-lrucache libluajit2-5.1-2 libpcre3 >/dev/null; }; })
    for deb in "$work"/debs/*.deb; do
        dpkg -x "$deb" "$work/root"
    done
    root=$work/root
fi
folder=$(dirname "$(find ${root:-/usr/lib} -name 'libluajit-5.1.so.2' | head -n 1)")
LD_LIBRARY_PATH=$folder:$(dirname "$(find ${root:-/} -xdev -name 'libpcre.so.3' 2>/dev/null | head -n 1)")
export LD_LIBRARY_PATH

mkdir -p "$work/logs"
cat >"$work/nginx.conf" <<CONF
load_module $root/usr/lib/nginx/modules/ndk_http_module.so;
load_module $root/usr/lib/nginx/modules/ngx_http_lua_module.so;
daemon off;
worker_processes 1;
pid $work/pid;
error_log $work/logs/error.log notice;
env KVL_LIBRARY;
$([ "$(id -u)" = 0 ] && echo 'user root;')
events { worker_connections 256; }
http {
    access_log off;
    client_body_temp_path $work/body; proxy_temp_path $work/proxy; fastcgi_temp_path $work/fastcgi; uwsgi_temp_path $work/uwsgi; scgi_temp_path $work/scgi;
    lua_package_path "$(dirname "$here")/?.lua;$work/?.lua;$root/usr/share/lua/5.1/?.lua;;";
    init_by_lua_block {
        local ok, message = pcall(require("kvlight.ngx").tasks, { provider = print })
        assert(not ok and message:find("workers are forks"), message)
    }
    server {
        listen unix:$work/socket;
        lua_check_client_abort on;
        location = /fetch { content_by_lua_block {
            local ok, value = pcall(require("users").tasks.fetch, require("users").tasks, ngx.var.arg_key)
            ngx.say(ok and value or "failed: " .. tostring(value))
        } }
        location = /batch { content_by_lua_block {
            ngx.say(table.concat(require("users").tasks:fetch_all { "a", "b", "a" }, " "))
        } }
        location = /loaded { content_by_lua_block { ngx.say(table.concat(require("users").loaded, " ")) } }
    }
}
CONF
cat >"$work/users.lua" <<'LUA'
local M = { loaded = {} }
M.tasks = require("kvlight.ngx").tasks {
  provider = function(keys)
    local rows = {}
    for _, key in ipairs(keys) do
      M.loaded[#M.loaded + 1] = key
      if key == "broken" then
        error("the database is down", 0)
      end
      rows[key] = "user " .. key
    end
    ngx.sleep(keys[1]:find("^slow") and 0.5 or 0)
    return rows
  end,
  timeout_ms = 20000,
}
return M
LUA

"${root}/usr/sbin/nginx" -p "$work/" -c "$work/nginx.conf" -e "$work/logs/error.log" &
server=$!
for _ in $(seq 100); do
    [ -S "$work/socket" ] && break
    sleep 0.1
done

get() { curl -s --unix-socket "$work/socket" "http://nginx$1"; }
count=0
expect() {
    count=$((count + 1))
    if [ "$1" = "$2" ]; then
        echo "ok $count - $3"
    else
        echo "not ok $count - $3: got '$1', wanted '$2'"
        tail -n 20 "$work/logs/error.log"
        exit 1
    fi
}

expect "$(get /fetch?key=a)" "user a" "a fetch"
get '/fetch?key=slow' >"$work/one" &
one=$!
get '/fetch?key=slow' >"$work/two" &
two=$!
for _ in $(seq 500); do
    [ "$(get /loaded)" = "a slow" ] && break
    sleep 0.02
done
expect "$(get /fetch?key=b; kill -0 $one && echo meanwhile)" "user b
meanwhile" "a fetch of another key while a provider sleeps"
wait $one $two
expect "$(cat "$work/one" "$work/two")" "user slow
user slow" "two concurrent requests for one key"
expect "$(get /loaded)" "a slow b" "the provider was called once for both"
curl -s --max-time 0.1 --unix-socket "$work/socket" 'http://nginx/fetch?key=slow2' || true
expect "$(get '/fetch?key=slow2')" "user slow2" "a fetch of a key whose first client disconnected: the provider that was called for it continues"
expect "$(get /loaded)" "a slow b slow2" "the provider was called once for both clients"
expect "$(get /batch)" "user a user b user a" "a batch"
expect "$(get '/fetch?key=broken')" "failed: the database is down" "an error of the provider"
kill -HUP "$(cat "$work/pid")"
for _ in $(seq 300); do
    [ "$(get /loaded)" = "" ] && break
    sleep 0.1
done
expect "$(get /fetch?key=a)" "user a" "a new worker after a reload"
kill -QUIT "$server"
wait "$server" && server=
expect "$(grep -cE '\[(error|alert|crit|emerg)\]' "$work/logs/error.log" || true)" 0 "errors in the log"
