-- kvlight for LuaJIT: a loading cache. Install it with LuaRocks, or copy this file and the folder kvlight/.
--
--   local kvlight = require "kvlight"
--   local users = kvlight.tasks {
--     provider = function(keys)                    -- called with the keys that are missing
--       return database:users(keys)                -- { key = value }; keys left out are remembered as absent
--     end,
--     ["cache.capacity"] = 10000,                  -- any setting of docs/CONFIGURATION.md
--   }
--   print(users:fetch("7"))                        -- a value, or nil: there is no such record
--   local rows = users:fetch_all { "7", "8", "7" } -- in the order of the keys; raises the first error
--   users:close()
--
-- The provider, and the other functions that kvlight was given, are called in poll(), on the thread that calls it. fetch() polls while it waits, and
-- yields in between in a coroutine. A program with an event loop starts fetches with start(key, options, on_result), and calls poll() whenever fd() is
-- readable, which calls on_result. `K` has the constants of kvlight.h, without KVL_. For OpenResty there is kvlight.ngx. No Lua
-- function is passed to the library: a call from one of its threads, or into Lua from a compiled trace, would break LuaJIT.

local library = require "kvlight.library"
local tasks = require "kvlight.tasks"

return { K = library.K, Error = library.Error, failure = library.failure, tasks = tasks.new }
