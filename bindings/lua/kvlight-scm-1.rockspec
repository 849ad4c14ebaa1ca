rockspec_format = "3.0"
package = "kvlight"
version = "scm-1"
source = { url = "." }
description = {
  summary = "A loading cache that fetches each key once, in batches, however many callers ask for it",
  detailed = "For LuaJIT and OpenResty. Needs the shared library libkvlight, which is found by its name or by KVL_LIBRARY.",
  license = "MIT OR Apache-2.0",
}
-- LuaJIT reports itself as Lua 5.1.
dependencies = { "lua >= 5.1, < 5.2" }
build = {
  type = "builtin",
  modules = {
    kvlight = "kvlight.lua",
    ["kvlight.library"] = "kvlight/library.lua",
    ["kvlight.native"] = "kvlight/native.lua",
    ["kvlight.ngx"] = "kvlight/ngx.lua",
    ["kvlight.redis"] = "kvlight/redis.lua",
    ["kvlight.request"] = "kvlight/request.lua",
    ["kvlight.second_tier"] = "kvlight/second_tier.lua",
    ["kvlight.tasks"] = "kvlight/tasks.lua",
  },
}
