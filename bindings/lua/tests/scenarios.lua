-- The scenarios that every language has, and tests specific to LuaJIT. The interpreter stays busy: nothing waits inside a C call, except where a scenario
-- is about waiting. Prints TAP; run.sh sets the paths of the module and the library.

local kvlight = require "kvlight"
local K = kvlight.K
local tap = require "tap"

local busy_until, equal, scenario = tap.busy_until, tap.equal, tap.scenario

-- Returns an engine whose provider answers "user <key>" for keys that do not begin with "no", and the list of the keys that it was called with.
local function user_tasks(settings)
  local loaded = {}
  settings = settings or {}
  settings.provider = settings.provider or function(keys)
    local rows = {}
    for _, key in ipairs(keys) do
      loaded[#loaded + 1] = key
      if not key:find("^no") then
        rows[key] = "user " .. key
      end
    end
    return rows
  end
  return kvlight.tasks(settings), loaded
end

-- Returns an engine whose provider leaves its requests unanswered, and the list of those requests.
local function unanswered_tasks(settings)
  local requests = {}
  settings = settings or {}
  settings.provider = function(_, request) requests[#requests + 1] = request end
  return kvlight.tasks(settings), requests
end

local function result_of(tasks, key, options)
  local result
  tasks:start(key, options, function(delivered) result = delivered end)
  busy_until(tasks, function() return result end)
  return result
end

local function results_of(tasks, keys, options)
  local results
  tasks:start_all(keys, options, function(delivered) results = delivered end)
  busy_until(tasks, function() return results end)
  return results
end

scenario("hit", function()
  local tasks, loaded = user_tasks()
  equal(result_of(tasks, "7").value, "user 7", "loaded")
  equal(tasks:fetch("7"), "user 7", "from the store")
  equal(#loaded, 1, "keys loaded")
  equal(tasks:stats().hits, 1, "hits")
  equal(tasks:put("8", "put"), true, "put")
  equal(tasks:fetch("8"), "put", "the value of the put")
  tasks:close()
end)

scenario("null hit", function()
  local tasks, loaded = user_tasks()
  equal(result_of(tasks, "nobody").status, K.NULL, "loaded")
  equal(tasks:fetch("nobody"), nil, "from the store")
  equal(#loaded, 1, "keys loaded")
  equal(tasks:stats().null_hits, 1, "null hits")
  tasks:close()
end)

scenario("miss", function()
  local tasks, loaded = user_tasks()
  local value, status = tasks:get("7")
  equal(value, nil, "no value")
  equal(status, K.MISS, "a lookup")
  equal(result_of(tasks, "7", { read = "cache_only" }).status, K.MISS, "a cache-only fetch")
  equal(#loaded, 0, "keys loaded")
  equal(result_of(tasks, "7").source, K.SOURCE_PROVIDER, "a fetch")
  equal(#loaded, 1, "keys loaded")
  tasks:close()
end)

scenario("batch with duplicates", function()
  local tasks, loaded = user_tasks()
  local results = results_of(tasks, { "1", "2", "1", "nobody", "2" })
  equal(#results, 5, "results")
  for i, wanted in ipairs { "user 1", "user 2", "user 1", "nil", "user 2" } do
    equal(tostring(results[i].value), wanted, "position " .. i)
  end
  equal(#loaded, 3, "keys loaded")
  tasks:close()
end)

scenario("one failing key in a batch", function()
  local tasks = user_tasks { provider = function() return { a = "A", b = kvlight.failure("b is broken", 42), c = "C" } end }
  local results = results_of(tasks, { "a", "b", "c", "b" })
  equal(results[1].value, "A", "the first")
  equal(results[3].value, "C", "the third")
  equal(results[2].status, K.ERR_PROVIDER, "the key that fails")
  equal(results[2].error.code, 42, "the error's code")
  equal(results[2].error, results[4].error, "the same error for both positions")
  local ok, raised = pcall(tasks.fetch_all, tasks, { "a", "b" })
  equal(ok, false, "fetch_all raises")
  equal(tostring(raised), "b is broken", "the raised error")
  tasks:close()
end)

scenario("retry then success", function()
  local attempts = 0
  local tasks = kvlight.tasks {
    provider = function()
      attempts = attempts + 1
      if attempts < 3 then
        error { reason = "not yet" }
      end
      return { a = "at last" }
    end,
    ["retry.count"] = 5,
  }
  local result = result_of(tasks, "a")
  equal(result.value, "at last", "value")
  equal(result.attempts, 3, "attempts")
  equal(attempts, 3, "calls of the provider")
  tasks:close()
end)

scenario("timeout", function()
  local tasks, requests = unanswered_tasks()
  local result = result_of(tasks, "a", { timeout_ms = 500 })
  equal(result.error.name, "KVL_ERR_TIMEOUT", "name")
  equal(result.status, K.ERR_TIMEOUT, "status")
  local ok, raised = pcall(tasks.fetch, tasks, "b", { timeout_ms = 20 })
  equal(ok, false, "fetch raises")
  equal(raised.status, K.ERR_TIMEOUT, "the raised error")
  equal(requests[1]:is_cancelled(), false, "the load continues for the next fetch")
  tasks:close()
  local broken = { reason = "not now" }
  local failing = kvlight.tasks {
    provider = function() error(broken) end,
    ["retry.count"] = 1,
    ["retry.fixed_ms"] = 60000,
  }
  -- Time enough for the first attempt, also on a busy machine.
  result = result_of(failing, "a", { timeout_ms = 1000 })
  equal(result.error.name, "KVL_ERR_TIMEOUT", "name")
  equal(result.attempts, 1, "attempts")
  equal(result.error.cause, broken, "the error of the failed attempt")
  failing:close()
end)

scenario("cancel", function()
  local tasks, requests = unanswered_tasks()
  local one, other
  local fetch = tasks:start("a", nil, function(result) one = result end)
  tasks:start("a", nil, function(result) other = result end)
  busy_until(tasks, function() return #requests > 0 end)
  fetch:cancel()
  busy_until(tasks, function() return one end)
  equal(one.status, K.ERR_CANCELLED, "the cancelled fetch")
  equal(other, nil, "the other fetch still waits")
  requests[1]:answer { a = "A" }
  busy_until(tasks, function() return other end)
  equal(other.value, "A", "the other fetch")
  fetch:cancel()
  tasks:close()
end)

scenario("close while loading", function()
  local tasks, requests = unanswered_tasks { ["tasks.max_running"] = 1 }
  local delivered = {}
  for i = 1, 3 do
    tasks:start("key " .. i, nil, function(result) delivered[#delivered + 1] = result.status end)
  end
  busy_until(tasks, function() return #requests > 0 end)
  tasks:close()
  equal(table.concat(delivered, " "), "-200 -200 -200", "the outcome of each fetch")
  equal(pcall(tasks.fetch, tasks, "a"), false, "a later fetch")
  equal(pcall(requests[1].resolve, requests[1], 1, "late"), false, "a later answer")
  tasks:close()
end)

scenario("10,000 keys", function()
  local tasks, loaded = user_tasks { ["cache.capacity"] = 20000, ["batch.max_keys"] = 500 }
  local keys = {}
  for i = 1, 10000 do
    keys[i] = "key " .. i
  end
  local results = results_of(tasks, keys)
  equal(#results, 10000, "results")
  for i, result in ipairs(results) do
    equal(result.value, "user key " .. i, "position " .. i)
  end
  equal(#loaded, 10000, "keys loaded")
  local again = tasks:fetch_all(keys)
  equal(#again, 10000, "hits")
  equal(#loaded, 10000, "keys loaded, unchanged")
  tasks:close()
end)

scenario("callback that fetches", function()
  local tasks = user_tasks()
  local inner, waited
  tasks:start("a", nil, function(first)
    tasks:start(first.value .. " once more", nil, function(second) inner = second.value end)
    waited = tasks:fetch("b")
  end)
  busy_until(tasks, function() return inner end)
  equal(waited, "user b", "a blocking fetch inside a callback")
  equal(inner, "user user a once more", "a fetch started inside a callback")
  tasks:close()
end)

scenario("object value whose destructor is counted", function()
  local dropped, created = {}, 0
  local tasks = user_tasks {
    provider = function(keys)
      local rows = {}
      for _, key in ipairs(keys) do
        created = created + 1
        rows[key] = { name = key }
      end
      return rows
    end,
    dropped = function(object) dropped[object] = (dropped[object] or 0) + 1 end,
    ["cache.capacity"] = 10,
  }
  local first = result_of(tasks, "key 1").value
  equal(tasks:fetch("key 1"), first, "the same table")
  for i = 1, 100 do
    equal(result_of(tasks, "key " .. i).value.name, "key " .. i, "name")
  end
  tasks:remove("key 100")
  tasks:close()
  local count = 0
  for _, times in pairs(dropped) do
    equal(times, 1, "how often an object was dropped")
    count = count + 1
  end
  equal(count, created, "objects dropped")
  equal(first.name, "key 1", "an object that Lua still refers to")
  equal(next(tasks.objects), nil, "remaining objects")
end)

-- ---- Specific to LuaJIT --------------------------------------------------------------------------------------------------

scenario("settings that LuaJIT cannot serve, and a missing provider, are rejected with a message", function()
  for name, settings in pairs {
    validator = { provider = print, validator = print },
    removal_listener = { provider = print, removal_listener = print },
    ["another thread"] = { provider = print, delivery = "thread" },
    ["is missing"] = {},
  } do
    local ok, message = pcall(kvlight.tasks, settings)
    equal(ok, false, name)
    equal(message:find(name, 1, true) ~= nil, true, message)
  end
end)

scenario("a wrong setting is rejected with a message", function()
  local ok, message = pcall(kvlight.tasks, { provider = print, ["cache.capacty"] = 10 })
  equal(ok, false, "whether it was created")
  equal(tostring(message):find("cache.capacity", 1, true) ~= nil, true, tostring(message))
  local tasks = user_tasks()
  ok, message = pcall(tasks.fetch, tasks, "a", { timeout_ms = 0 })
  equal(ok, false, "whether the fetch succeeded")
  equal(tostring(message):find("timeout_ms", 1, true) ~= nil, true, tostring(message))
  tasks:close()
end)

scenario("an error reaches every caller as it was raised", function()
  local reason = { reason = "the database is down" }
  local tasks = user_tasks { provider = function() error(reason) end }
  local results = results_of(tasks, { "a", "b" })
  equal(results[1].error, reason, "the first")
  equal(results[2].error, reason, "the second")
  tasks:close()
  equal(next(tasks.errors), nil, "remaining errors")
end)

scenario("puts may have a condition, and a touch gives an entry a new TTL", function()
  local tasks = user_tasks()
  equal(tasks:put("a", "new", { only_if = "present" }), false, "only if present, without an entry")
  equal(tasks:put("a", "first", { only_if = "absent" }), true, "only if absent")
  equal(tasks:put("a", "second", { only_if = "absent" }), false, "only if absent, with an entry")
  equal(tasks:get("a"), "first", "the unchanged value")
  equal(tasks:put("a", "third", { keep_ttl = true, only_if = "present", ttl_ms = 5000 }), true, "only if present")
  equal(tasks:touch("a", 60000), true, "touched")
  equal(tasks:touch("nobody"), false, "a key without an entry")
  local ok, message = pcall(tasks.put, tasks, "a", "b", { tll_ms = 5 })
  equal(not ok and tostring(message):find("tll_ms", 1, true) ~= nil, true, tostring(message))
  tasks:close()
end)

scenario("keys and values may have any bytes", function()
  local tasks = user_tasks { provider = function(keys) return { [keys[1]] = keys[1] .. "\0\255" } end }
  for _, key in ipairs { "", "a\0b", "\255\254", ("x"):rep(65535) } do
    equal(result_of(tasks, key).value, key .. "\0\255", "value")
    equal(tasks:fetch(key), key .. "\0\255", "hit")
  end
  equal(pcall(tasks.fetch, tasks, ("x"):rep(65536)), false, "a key that is too long")
  tasks:close()
end)

scenario("an engine that becomes unreachable is collected and ended", function()
  collectgarbage()
  collectgarbage()
  local threads, descriptors = tap.threads_and_descriptors()
  local engines = setmetatable({}, { __mode = "k" })
  for _ = 1, 50 do
    local tasks = unanswered_tasks()
    tasks:start("a")
    tasks:poll()
    tasks:fd()
    engines[tasks] = true
  end
  equal(next(engines) ~= nil, true, "engines before a collection")
  collectgarbage()
  collectgarbage()
  equal(next(engines), nil, "engines after a collection")
  local threads_left, descriptors_left = tap.threads_and_descriptors()
  equal(descriptors_left <= descriptors, true, ("descriptors: %d -> %d"):format(descriptors, descriptors_left))
  -- Threads that are ending may be counted for a moment, but not those of half of the 50 engines.
  equal(threads_left < threads + 25, true, ("threads: %d -> %d"):format(threads, threads_left))
end)

tap.run(true)
