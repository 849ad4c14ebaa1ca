# Sourced by the scripts that build packages with the shared library inside.
#
#     add_redis FOLDER      also puts libkvlight_redis into FOLDER, if KVL_REDIS_LIBRARY names it or it is in KVL_LIB_DIR
#
# A package without it still takes `l2_url` on systems where libkvlight_redis is installed.
add_redis() {
    case $(uname -s) in
    Darwin) set -- "$1" libkvlight_redis.dylib ;;
    *) set -- "$1" libkvlight_redis.so ;;
    esac
    built=${KVL_REDIS_LIBRARY:-$KVL_LIB_DIR/$2}
    [ ! -e "$built" ] || cp -L "$built" "$1/$2"
}
