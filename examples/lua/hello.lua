local kvlight = require "kvlight"

local users = kvlight.tasks {
  provider = function(ids)
    print("asked for " .. table.concat(ids, ", "))
    local rows = {}
    for _, id in ipairs(ids) do
      rows[id] = id ~= "404" and { id = id, name = "user " .. id } or nil -- 404 is left out, and remembered as absent
    end
    return rows
  end,
  ["cache.capacity"] = 10000,
  ["cache.ttl_ms"] = 60000,
}

print(users:fetch("7").name)
local found = users:fetch_all { "7", "404", "7" }
print(found[1].name, found[2], found[3].name)
users:start("9", nil, function(result) print("later: " .. result.value.name) end):wait()
users:close()
