-- Tags, versions, and records that have not changed. Prints TAP; run.sh sets the path of the library.

local kvlight = require "kvlight"
local tap = require "tap"

local K, equal, scenario = kvlight.K, tap.equal, tap.scenario

local function no_users()
  return {}
end

scenario("r11 a tag removes its entries", function()
  local tasks = kvlight.tasks { provider = no_users }
  tasks:put("1", { 1 }, { tags = { "odd", "small" } })
  tasks:put("2", "two", { tags = { "small" } })
  tasks:put("3", { 3 }, { tags = { "odd" } })
  equal(tasks:remove_tag "odd", 2, "removed")
  equal(tasks:get "1" == nil and tasks:get "3" == nil and tasks:get "2", "two", "the remaining entry")
  equal(tasks:remove_tag "odd" + tasks:remove_tag "not there", 0, "again")
  tasks:put("2", "zwei") -- a new value has the tags of its own put
  equal(tasks:remove_tag "small", 0, "a new value")
  equal(tasks:get "2", "zwei", "a new value")
  equal(tasks:stats().removed_tag, 2, "the statistic")
  tasks:close()
end)

scenario("r11 an answer has tags, and is not stored if one of them was removed during the load", function()
  local request
  local tasks = kvlight.tasks { provider = function(_, the_request) request = the_request end }
  for _, is_removed in ipairs { true, false } do
    request = nil
    local fetch = tasks:start "a"
    while not request do
      tasks:poll(100)
    end
    if is_removed then
      equal(tasks:remove_tag "shelf", 0, "the number of removed entries before the answer")
    end
    request:resolve(1, "answer", { tags = { "shelf" } })
    request:finish()
    equal(fetch:wait().value, "answer", "the fetch")
    equal(tasks:get "a", not is_removed and "answer" or nil, "the store")
  end
  equal(tasks:remove_tag "shelf", 1, "the number of removed entries after it")
  tasks:close()
end)

scenario("r12 tags and all entries expire and stay as fallbacks", function()
  local is_down = false
  local tasks = kvlight.tasks {
    provider = function(keys, request)
      if is_down then
        error(kvlight.failure "down", 0)
      end
      for i, key in ipairs(keys) do
        request:resolve(i, "value of " .. key, { tags = { key < "c" and "early" or "late" } })
      end
      request:finish()
    end,
    ["cache.ttl_ms"] = 60000,
    ["stale.ttl_ms"] = 60000,
  }
  tasks:fetch_all { "a", "b", "c" }
  is_down = true
  equal(tasks:expire_tag "early", 2, "a tag")
  equal(tasks:get "a" == nil and tasks:get "c", "value of c", "the remaining entry")
  local results = tasks:results { "a", "b", "c" }
  equal(results[1].is_stale and results[2].is_stale and not results[3].is_stale, true, "fallbacks")
  tasks:expire_all()
  equal(tasks:get "c", nil, "all")
  equal(tasks:fetch "c", "value of c", "its fallback")
  tasks:close()
end)

scenario("r06 a record that has not changed keeps its value", function()
  local entries = {}
  local source = { a = { "first" }, b = "other" }
  local versions = { a = "v1", b = "w1" }
  local tasks = kvlight.tasks {
    provider = function(keys, request)
      for i, key in ipairs(keys) do
        local stale = request:stale(i)
        entries[#entries + 1] = stale
        if stale and stale.version == versions[key] then
          equal(request:not_modified(i, { ttl_ms = 50000 }), true, "whether the answer was in time")
        else
          request:resolve(i, source[key], { version = versions[key], tags = { "t" } })
        end
      end
      request:finish()
    end,
    ["cache.ttl_ms"] = 10000,
    ["stale.ttl_ms"] = 60000,
  }
  local first = tasks:fetch_all({ "a", "b" })[1]
  equal(#entries, 0, "the stored entries before the first load")
  tasks:expire_all()
  versions.b, source.b = "w2", "changed"
  local results = tasks:results { "a", "b" }
  equal(entries[1].value, first, "the stored object")
  equal(entries[1].version .. " " .. entries[2].version .. " " .. entries[2].value, "v1 w1 other", "the stored versions, and the other value")
  equal(entries[1].age_ms >= 0, true, "the age")
  equal(results[1].value, first, "the same value")
  equal(results[1].is_stale, false, "whether it is stale")
  equal(results[1].source, K.SOURCE_PROVIDER, "the source")
  equal(results[1].ttl_left_ms > 40000, true, "the new TTL")
  equal(results[2].value, "changed", "the changed value")
  equal(tasks:remove_tag "t", 2, "the number of entries that kept the tag")
  tasks:close()
end)

scenario("r06 not_modified without a value raises and answers nothing", function()
  local ok, reason
  local tasks = kvlight.tasks {
    provider = function(_, request)
      ok, reason = pcall(request.not_modified, request, 1)
      request:resolve(1, nil)
      request:finish()
    end,
  }
  equal(tasks:fetch "a", nil, "the key")
  equal(ok, false, "whether the call succeeded")
  equal(reason.status, K.MISS, "the status")
  tasks:close()
end)

scenario("r11 invalid labels are rejected", function()
  local tasks = kvlight.tasks { provider = no_users }
  for _, terms in ipairs { { tags = "word" }, { tags = { 1 } }, { version = 1 } } do
    equal(pcall(tasks.put, tasks, "a", "one", terms), false, "an invalid label")
  end
  local many, long = {}, ("x"):rep(256)
  for i = 1, 17 do
    many[i] = "t" .. i
  end
  for _, terms in ipairs { { tags = { "" } }, { tags = { long } }, { tags = many }, { version = long } } do
    local ok, reason = pcall(tasks.put, tasks, "a", "one", terms)
    equal(not ok and reason.name, "KVL_ERR_BAD_VALUE", "a label of a wrong size")
  end
  local ok, reason = pcall(tasks.remove_tag, tasks, "")
  equal(not ok and reason.name, "KVL_ERR_INVALID_ARG", "an empty tag")
  equal(pcall(tasks.expire_tag, tasks, 7), false, "a tag that is no string")
  equal(tasks:get "a", nil, "the entry after rejected puts")
  many[17] = nil
  equal(tasks:put("a", "one", { tags = many, version = long:sub(2) }), true, "labels of the maximum size")
  tasks:close()
end)

scenario("l09b contradictory settings are rejected with a message", function()
  local created, reason = pcall(kvlight.tasks, { provider = no_users, ["stale.ttl_ms"] = 5 })
  equal(created, false, "whether the call succeeded")
  equal(reason.message:find("no entry expires", 1, true) ~= nil, true, tostring(reason))
end)

tap.run()
