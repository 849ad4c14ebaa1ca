-- A program that lists posts with their authors: `LUA_PATH='bindings/lua/?.lua;;' luajit examples/lua/demo.lua`.

local kvlight = require "kvlight"

local asked = 0

local authors = kvlight.tasks {
  provider = function(ids)
    asked = asked + 1
    print(("  the provider is asked for %d authors: %s"):format(#ids, table.concat(ids, ", ")))
    local rows = {}
    for _, id in ipairs(ids) do
      -- A table stays in Lua; 404 is left out, and so remembered as absent.
      if id ~= "404" then
        rows[id] = { id = id, name = "author " .. id }
      end
    end
    return rows
  end,
  ["cache.capacity"] = 1000,
  ["cache.ttl_ms"] = 60000,
}

local posts = { "7", "12", "7", "404", "12" }
for round = 1, 2 do
  print("round " .. round)
  for i, author in pairs(authors:fetch_all(posts)) do
    print(("  post %d by %s"):format(i, author.name))
  end
end

print("one more, fetched alone: " .. authors:fetch("99").name)
print(("%d requests for %d lookups, %d of them hits"):format(
  asked, authors:stats().hits + authors:stats().null_hits + authors:stats().misses, authors:stats().hits))
authors:close()
