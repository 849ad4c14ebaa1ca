-- Tags, versions, and records that have not changed. Prints TAP; run.sh passes the place of the library.

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
  equal(tasks:get "1" == nil and tasks:get "3" == nil and tasks:get "2", "two", "what is left")
  equal(tasks:remove_tag "odd" + tasks:remove_tag "not there", 0, "again")
  tasks:put("2", "zwei") -- a new value has the tags of its own put
  equal(tasks:remove_tag "small", 0, "a new value")
  equal(tasks:get "2", "zwei", "a new value")
  equal(tasks:stats().removed_tag, 2, "counted")
  tasks:close()
end)

scenario("r11 an answer has tags, and a running load with a removed tag is not stored", function()
  local request
  local tasks = kvlight.tasks { provider = function(_, given) request = given end }
  for _, is_removed in ipairs { true, false } do
    request = nil
    local fetch = tasks:start "a"
    while not request do
      tasks:poll(100)
    end
    if is_removed then
      equal(tasks:remove_tag "shelf", 0, "nothing is stored yet")
    end
    request:resolve(1, "answer", { tags = { "shelf" } })
    request:finish()
    equal(fetch:wait().value, "answer", "the fetch")
    equal(tasks:get "a", not is_removed and "answer" or nil, "the store")
  end
  equal(tasks:remove_tag "shelf", 1, "the second is stored")
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
  equal(tasks:get "a" == nil and tasks:get "c", "value of c", "what is left")
  local results = tasks:results { "a", "b", "c" }
  equal(results[1].is_stale and results[2].is_stale and not results[3].is_stale, true, "fallbacks")
  tasks:expire_all()
  equal(tasks:get "c", nil, "all")
  equal(tasks:fetch "c", "value of c", "its fallback")
  tasks:close()
end)

scenario("r06 a record that has not changed keeps its value", function()
  local seen = {}
  local source = { a = { "first" }, b = "other" }
  local versions = { a = "v1", b = "w1" }
  local tasks = kvlight.tasks {
    provider = function(keys, request)
      for i, key in ipairs(keys) do
        local held = request:stale(i)
        seen[#seen + 1] = held
        if held and held.version == versions[key] then
          equal(request:not_modified(i, { ttl_ms = 50000 }), true, "in time")
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
  equal(#seen, 0, "nothing is held")
  tasks:expire_all()
  versions.b, source.b = "w2", "changed"
  local results = tasks:results { "a", "b" }
  equal(seen[1].value, first, "the object that is held")
  equal(seen[1].version .. " " .. seen[2].version .. " " .. seen[2].value, "v1 w1 other", "the versions that are held")
  equal(seen[1].age_ms >= 0, true, "its age")
  equal(results[1].value, first, "the same value")
  equal(results[1].is_stale, false, "it is not stale")
  equal(results[1].source, K.SOURCE_PROVIDER, "its source")
  equal(results[1].ttl_left_ms > 40000, true, "its new time")
  equal(results[2].value, "changed", "a changed one")
  equal(tasks:remove_tag "t", 2, "it kept its tags")
  tasks:close()
end)

scenario("r06 not_modified without a value raises and answers nothing", function()
  local went_well, why
  local tasks = kvlight.tasks {
    provider = function(_, request)
      went_well, why = pcall(request.not_modified, request, 1)
      request:resolve(1, nil)
      request:finish()
    end,
  }
  equal(tasks:fetch "a", nil, "the key")
  equal(went_well, false, "refused")
  equal(why.status, K.MISS, "why")
  tasks:close()
end)

scenario("r11 labels that are none are refused", function()
  local tasks = kvlight.tasks { provider = no_users }
  for _, terms in ipairs { { tags = "word" }, { tags = { 1 } }, { version = 1 } } do
    equal(pcall(tasks.put, tasks, "a", "one", terms), false, "no label")
  end
  local many, long = {}, ("x"):rep(256)
  for i = 1, 17 do
    many[i] = "t" .. i
  end
  for _, terms in ipairs { { tags = { "" } }, { tags = { long } }, { tags = many }, { version = long } } do
    local went_well, why = pcall(tasks.put, tasks, "a", "one", terms)
    equal(not went_well and why.name, "KVL_ERR_BAD_VALUE", "a label")
  end
  local went_well, why = pcall(tasks.remove_tag, tasks, "")
  equal(not went_well and why.name, "KVL_ERR_INVALID_ARG", "an empty tag")
  equal(pcall(tasks.expire_tag, tasks, 7), false, "no tag")
  equal(tasks:get "a", nil, "nothing is stored")
  many[17] = nil
  equal(tasks:put("a", "one", { tags = many, version = long:sub(2) }), true, "the longest")
  tasks:close()
end)

scenario("l09b settings that contradict each other are refused in a sentence", function()
  local made, why = pcall(kvlight.tasks, { provider = no_users, ["stale.ttl_ms"] = 5 })
  equal(made, false, "refused")
  equal(why.message:find("no entry expires", 1, true) ~= nil, true, tostring(why))
end)

tap.run()
