-- Functions that fail, coroutines that yield or are never resumed, and caches that are never closed affect no other fetch; memory does not grow.
-- Also fallbacks, the circuit breaker, retries, iteration and files. Prints TAP; run.sh sets the paths of the module and the library.

local kvlight = require "kvlight"
local K = kvlight.K
local ffi = require "ffi"
local tap = require "tap"
local equal, scenario = tap.equal, tap.scenario

ffi.cdef "int usleep(unsigned);"

-- A provider that answers each key with a table.
local function echo(settings)
  settings = settings or {}
  settings.provider = settings.provider or function(keys)
    local rows = {}
    for _, key in ipairs(keys) do
      rows[key] = { key }
    end
    return rows
  end
  return kvlight.tasks(settings)
end

local function content(path)
  local file = assert(io.open(path))
  local text = file:read("*a")
  file:close()
  return text
end

local function resident_kib()
  return tonumber(content("/proc/self/status"):match("VmRSS:%s+(%d+)"))
end

local failures_by_name = {
  ["raises a string"] = function() error "mine" end,
  ["raises a table"] = function() error { reason = "mine" } end,
  ["raises nil"] = function() error() end,
  ["raises a value whose conversion to a string fails"] = function() error(setmetatable({}, { __tostring = function() error "no text" end })) end,
}
for what, fail in pairs(failures_by_name) do
  scenario("a function given to start that " .. what, function()
    local failures = 0
    local tasks = echo { on_error = function() failures = failures + 1 end }
    tasks:start("a", nil, fail)
    tasks:start_all({ "b", "c" }, nil, fail)
    equal(tasks:fetch("d")[1], "d", "a fetch that polls")
    equal(tasks:fetch_all({ "e", "f" })[2][1], "f", "a batch")
    tasks:poll()
    equal(failures, 2, "reported errors")
    tasks:close()
  end)

  scenario("`dropped` that " .. what .. ", and `on_error` too", function()
    local dropped = 0
    local stderr = io.stderr
    io.stderr = { write = function() end }
    local tasks = echo {
      ["cache.capacity"] = 1,
      dropped = function()
        dropped = dropped + 1
        fail()
      end,
      on_error = fail,
    }
    for _, key in ipairs { "a", "b", "c" } do
      equal(tasks:fetch(key)[1], key, "a value")
    end
    tasks:close()
    io.stderr = stderr
    equal(dropped, 3, "the number of calls")
  end)

  scenario("a provider that " .. what, function()
    local tasks = echo {
      provider = function(keys)
        return keys[1] == "bad" and fail() or { [keys[1]] = "good" }
      end,
      ["tasks.max_running"] = 1,
    }
    local bad = tasks:start("bad")
    equal(tasks:fetch("a"), "good", "another fetch")
    equal(bad:wait().status, K.ERR_PROVIDER, "the status of the failed fetch")
    equal(pcall(tasks.fetch, tasks, "bad"), false, "a later fetch of the same key")
    tasks:close()
  end)
end

scenario("a provider's result that is no answer is rejected with a message", function()
  for _, case in ipairs { { { [7] = "seven" }, "strings" }, { "text", "not a string" }, { true, "not a boolean" } } do
    local tasks = echo { provider = function() return case[1] end }
    local ok, reason = pcall(tasks.fetch, tasks, "7")
    equal(ok, false, "fetch")
    equal(reason:find(case[2], 1, true) ~= nil, true, reason)
    tasks:close()
  end
end)

scenario("a function given to start may close the cache", function()
  local tasks = echo()
  local delivered = 0
  tasks:start("a", nil, function() tasks:close() end)
  tasks:start("b", nil, function() delivered = delivered + 1 end)
  while delivered == 0 do
    tasks:poll()
  end
  tasks:close()
  equal(delivered, 1, "how often the other fetch was delivered")
end)

-- ---- Coroutines ----------------------------------------------------------------------------------------------------

-- Resumes coroutines in turn until all are done. Returns their results and the number of turns.
local function run_in_turn(functions, max)
  local ready, values, turns = {}, {}, 0
  for i, each in ipairs(functions) do
    ready[i] = { at = i, thread = coroutine.create(each) }
  end
  while #ready > 0 do
    turns = turns + 1
    assert(turns < (max or 100000), "the coroutines do not end")
    local each = table.remove(ready, 1)
    local ok, value = coroutine.resume(each.thread)
    assert(ok, value)
    if coroutine.status(each.thread) == "dead" then
      values[each.at] = value
    else
      ready[#ready + 1] = each
    end
  end
  return values, turns
end

local function sleep(turns)
  for _ = 1, turns do
    coroutine.yield()
  end
end

scenario("a provider may yield while coroutines fetch its key, another key and a batch", function()
  local calls = 0
  local tasks = echo {
    timeout_ms = 20000,
    provider = function(keys)
      calls = calls + 1
      sleep(5)
      local rows = {}
      for _, key in ipairs(keys) do
        rows[key] = "v" .. key
      end
      return rows
    end,
  }
  local values = run_in_turn {
    function() return tasks:fetch("a") end,
    function() return tasks:fetch("a") end,
    function() return tasks:fetch("b") end,
    function() return table.concat(tasks:fetch_all { "a", "b", "c" }, " ") end,
  }
  equal(table.concat(values, ", "), "va, va, vb, va vb vc", "values")
  equal(calls <= 3, true, "calls of the provider")
  tasks:close()
end)

scenario("another coroutine may answer a request", function()
  local requests = {}
  local tasks = echo { timeout_ms = 20000, provider = function(_, request) requests[#requests + 1] = request end }
  local values = run_in_turn {
    function() return tasks:fetch("a") end,
    function()
      sleep(10)
      requests[1]:answer { a = "A" }
    end,
    function() return tasks:fetch("a") end,
  }
  equal(values[1] .. values[3], "AA", "values")
  tasks:close()
end)

scenario("a pause between attempts blocks no other coroutine", function()
  local attempts, others = 0, 0
  local tasks = echo {
    ["retry.count"] = 1,
    ["retry.fixed_ms"] = 50,
    provider = function()
      attempts = attempts + 1
      assert(attempts > 1, "not yet")
      return { a = "A" }
    end,
  }
  local is_done = false
  run_in_turn({
    function()
      equal(tasks:fetch("a"), "A", "the value")
      is_done = true
    end,
    function()
      while not is_done do
        others = others + 1
        coroutine.yield()
      end
    end,
  }, math.huge)
  equal(others > 5, true, "turns of the other coroutine: " .. others)
  tasks:close()
end)

scenario("a wait in a coroutine that cannot yield blocks", function()
  local tasks = echo { ["retry.count"] = 1, ["retry.fixed_ms"] = 5, provider = function(_, request)
    return request:attempt(1) > 1 and { a = "A" } or error "not yet"
  end }
  local value = coroutine.wrap(function() return (("x"):gsub("x", function() return tasks:fetch("a") end)) end)()
  equal(value, "A", "in a callback of gsub")
  tasks:close()
end)

scenario("a coroutine that is never resumed ends its provider's request when it is collected", function()
  local tasks = echo { provider = function(keys)
    if keys[1] == "lost" then
      coroutine.yield()
    end
    return { [keys[1]] = "found" }
  end }
  local lost = tasks:start("lost")
  local thread = coroutine.create(function() tasks:poll() end)
  while coroutine.resume(thread) and coroutine.status(thread) == "dead" do
    thread = coroutine.create(function() tasks:poll() end)
  end
  thread = nil
  equal(tasks:fetch("other"), "found", "another fetch")
  collectgarbage()
  collectgarbage()
  equal(lost:wait().status, K.ERR_UNANSWERED, "the status of the lost fetch")
  tasks:close()
end)

scenario("a scheduler runs providers, waits and is woken through its functions", function()
  local spawned, waits, woken = {}, 0, {}
  local tasks
  tasks = echo {
    spawn = function(provide) spawned[#spawned + 1] = coroutine.create(provide) end,
    wait = function(fetch)
      equal(fetch.is_done, nil, "whether the fetch is done")
      waits = waits + 1
      tasks:poll()
      for i, thread in pairs(spawned) do
        coroutine.resume(thread)
        spawned[i] = coroutine.status(thread) ~= "dead" and thread or nil
      end
    end,
    wake = function(fetch) woken[#woken + 1] = fetch end,
    provider = function(keys)
      sleep(3)
      return { [keys[1]] = "value" }
    end,
  }
  equal(tasks:fetch("a"), "value", "the value")
  equal(waits >= 4, true, "waits: " .. waits)
  equal(#woken == 1 and woken[1].outcome.value, "value", "the fetch that was woken")
  tasks:close()
  tasks = echo { spawn = function() error "no more coroutines" end }
  local ok, reason = pcall(tasks.fetch, tasks, "a")
  equal(not ok and reason:find("no more coroutines", 1, true) ~= nil, true, tostring(reason))
  tasks:close()
end)

-- ---- Lifetimes ---------------------------------------------------------------------------------------------------------

scenario("caches that are never closed leak no thread and no descriptor", function()
  collectgarbage()
  local threads, descriptors = tap.threads_and_descriptors()
  local function none_is_left()
    local threads_now, descriptors_now = tap.threads_and_descriptors()
    return threads_now <= threads and descriptors_now <= descriptors
  end
  for _ = 1, 40 do
    local tasks
    tasks = echo { dropped = function() return tasks end }
    tasks:fetch("a")
    tasks:fd()
    tasks:start("b", nil, function() return tasks end)
  end
  collectgarbage()
  collectgarbage()
  for _ = 1, 200 do
    if none_is_left() then
      break
    end
    ffi.C.usleep(20000)
  end
  equal(none_is_left(), true, ("threads and descriptors: %d, %d -> %d, %d"):format(threads, descriptors, tap.threads_and_descriptors()))
end)

scenario("the module can be loaded twice, as by a test runner that empties package.loaded", function()
  for name in pairs(package.loaded) do
    if name:find("^kvlight") then
      package.loaded[name] = nil
    end
  end
  local again = require "kvlight"
  equal(again ~= kvlight, true, "another copy")
  for _, copy in ipairs { kvlight, again } do
    local tasks = copy.tasks { provider = function(keys) return { [keys[1]] = "value" } end }
    equal(tasks:fetch("a"), "value", "the value")
    tasks:close()
  end
end)

scenario("a thousand fetches at once are answered with the default settings", function()
  local tasks = echo()
  local fetches = {}
  for i = 1, 1000 do
    fetches[i] = tasks:start("key " .. i)
  end
  for i, fetch in ipairs(fetches) do
    equal(fetch:wait().value[1], "key " .. i, "value")
  end
  tasks:close()
end)

scenario("memory does not grow", function()
  local tasks = echo {
    ["cache.capacity"] = 100,
    provider = function(keys, request)
      for i, key in ipairs(keys) do
        if key:find "^bad" then
          request:fail(i, { key })
        else
          request:resolve(i, { key }, { ttl_ms = 60000 })
        end
      end
      request:finish()
    end,
  }
  local last = 0
  local function many(prefix)
    local keys = {}
    for i = 1, 100 do
      last = last + 1
      keys[i] = prefix .. last
    end
    return keys
  end
  local function repeated(count, call)
    return function()
      for i = 1, count do
        call(i)
      end
    end
  end
  tasks:put("a", "bytes")
  tasks:put("b", {})
  local saved = os.tmpname()
  -- How often the frequent operations are repeated: `make test-packages` sets a million.
  local calls_set = tonumber(os.getenv "KVL_CALLS")
  local work = {
    gets = repeated(calls_set or 200000, function() return tasks:get("a"), tasks:get("b"), tasks:get("none") end),
    puts = repeated(calls_set or 50000, function(i) return tasks:put("p", "value", { ttl_ms = 1000 }), tasks:put("o", { i }) end),
    ["single loads"] = repeated(calls_set or 20000, function(i) return tasks:fetch("key " .. last + i) end),
    loads = repeated((calls_set or 50000) / 100, function() return tasks:fetch_all(many "key ") end),
    failures = repeated((calls_set or 50000) / 100, function() return tasks:results(many "bad ") end),
    entries = repeated(1000, function() for _ in tasks:entries() do end end),
    options = repeated(calls_set or 20000, function(i) return tasks:fetch("a", { timeout_ms = 1000 + i }) end),
    writes = repeated(20000, function() return tasks:put("w", "v", { stale_ttl_ms = 5 }), tasks:expire "w", tasks:force_breaker(nil), tasks:breaker() end),
    files = repeated(200, function() return tasks:save(saved), tasks:load(saved), pcall(tasks.load, tasks, "/missing") end),
    ["other calls"] = repeated(2000, function() return tasks:fd(), tasks:stats(), tasks:touch("a"), tasks:remove("none") end),
  }
  for name, calls in pairs(work) do
    calls()
    collectgarbage()
    collectgarbage()
    local before, resident = collectgarbage("count"), resident_kib()
    calls()
    collectgarbage()
    collectgarbage()
    local growth, process = collectgarbage("count") - before, resident_kib() - resident
    equal(growth < 200, true, ("%s: Lua's memory has grown by %d KiB"):format(name, growth))
    equal(process < 4000, true, ("%s: the process has grown by %d KiB"):format(name, process))
  end
  os.remove(saved)
  tasks:close()
end)

-- An engine whose provider answers or fails according to a table.
local function tasks_of(answers, settings)
  settings.provider = function(keys)
    local rows = {}
    for _, key in ipairs(keys) do
      rows[key] = answers[key]
    end
    return rows
  end
  return kvlight.tasks(settings)
end

scenario("r04 a fetch states how long it waits before it is served a fallback", function()
  local tasks = echo { ["cache.ttl_ms"] = 60000, ["stale.ttl_ms"] = 60000, provider = function() return { a = "new" } end }
  tasks:put("a", "old")
  tasks:expire "a"
  local result = tasks:results({ "a" }, { ["stale.timeout_ms"] = 0 })[1]
  equal(result.is_stale and result.error == nil and result.value, "old", "the fallback at once")
  equal(tasks:fetch "a", "new", "the load continued")
  equal(tasks:get "a", "new", "the load is stored")
  local ok, reason = pcall(tasks.fetch, tasks, "b", { ["stale.timeout_ms"] = 5, timeout_ms = 5 })
  equal(not ok and reason.name, "KVL_ERR_BAD_VALUE", "options that contradict each other")
  equal(reason.message:find("stale.timeout_ms", 1, true) ~= nil, true, reason.message)
  tasks:close()
end)

scenario("r02 a fallback is served when the provider fails", function()
  local answers = { a = "one", b = "two", c = "three" }
  local tasks = tasks_of(answers, { ["cache.ttl_ms"] = 60000, ["stale.ttl_ms"] = 60000 })
  equal(table.concat(tasks:fetch_all { "a", "b", "c" }, " "), "one two three", "values")
  tasks:put("b", "two", { stale_ttl_ms = -1 })
  local lost = kvlight.failure "lost"
  answers.a, answers.b, answers.c = lost, lost, kvlight.failure("for good", 7, { permanent = true, no_stale = true })
  for _, key in ipairs { "a", "b", "c" } do
    equal(tasks:expire(key), true, "expired: " .. key)
  end
  equal(tasks:expire "d", false, "a key without an entry")
  equal(tasks:get "a", nil, "a lookup of an expired key")
  equal(tasks:fetch "a", "one", "the fallback")
  equal(tasks:fetch_all({ "a" }, { read = "refresh" })[1], "one", "the fallback in a batch")
  local result = tasks:results({ "a" }, { read = "refresh" })[1]
  equal(result.is_stale and result.value, "one", "the result")
  equal(result.error, lost, "the error of the load")
  equal(result.source, K.SOURCE_STALE, "the source")
  equal(result.ttl_left_ms, 0, "the remaining TTL")
  equal(tasks:results({ "b" })[1].error, lost, "a value that is no fallback")
  equal(tasks:results({ "c" })[1].error.message, "for good", "an error that forbids the fallback")
  answers.a = "new"
  result = tasks:results({ "a" }, { read = "refresh" })[1]
  equal(not result.is_stale and result.error == nil and result.ttl_left_ms > 0 and result.value, "new", "a fresh value")
  answers.a = "newer"
  tasks:refresh { "a" }
  for _ = 1, 100 do
    if tasks:get "a" == "newer" then
      break
    end
    tasks:poll(100)
  end
  equal(tasks:get "a", "newer", "refreshed")
  tasks:close()
end)

scenario("r07 the circuit breaker can be read and forced", function()
  local tasks = tasks_of({ a = kvlight.failure "down" }, { ["breaker.consecutive"] = 1 })
  equal(tasks:breaker(), "closed", "at first")
  equal(tasks:results({ "a" })[1].error.message, "down", "a failure")
  equal(tasks:breaker(), "open", "after a failure")
  equal(tasks:results({ "b" })[1].status, K.ERR_UNAVAILABLE, "another key")
  for _, state in ipairs { "closed", "open" } do
    tasks:force_breaker(state)
    equal(tasks:breaker(), state, "a forced state")
  end
  tasks:force_breaker(nil)
  equal(tasks:breaker(), "closed", "automatic operation")
  equal(pcall(tasks.force_breaker, tasks, "ajar"), false, "an unknown state")
  tasks:close()
end)

scenario("f11a a provider sets the pause before a retry", function()
  local calls = 0
  local tasks = kvlight.tasks {
    provider = function(keys)
      calls = calls + 1
      if calls == 1 then
        error(kvlight.failure("later", 0, { retry_after_ms = 60 }), 0)
      end
      return { [keys[1]] = "answer" }
    end,
    ["retry.count"] = 1,
    ["retry.fixed_ms"] = 1,
  }
  local fetch = tasks:start "a"
  while calls == 0 do
    tasks:poll(100)
  end
  -- 20 ms are far longer than the pause of the settings, and shorter than the requested one.
  equal(tasks:poll(20), 0, "the pause")
  equal(fetch:wait().value, "answer", "the second attempt")
  equal(pcall(kvlight.failure, "later", 0, { retry_after_ms = -1 }), false, "a negative pause")
  equal(kvlight.failure("later", 0, { retry_after_ms = 0.5 }).retry_after_ms, 1, "a pause is rounded up")
  tasks:close()
end)

scenario("s18 iteration returns all entries, and a save writes them", function()
  local tasks = echo()
  for i = 1, 100 do
    tasks:put("key " .. i, i % 2 == 0 and "text " .. i or { i })
  end
  tasks:put("none", nil)
  local count, entries = 0, {}
  for key, value in tasks:entries() do
    count = count + (key ~= "key 7" and 1 or 0)
    entries[key] = value
    tasks:remove("key 7")
  end
  equal(count, 100, "entries")
  equal(entries["key 4"], "text 4", "a text")
  equal(entries["key 5"][1], 5, "an object")
  equal(entries.none, nil, "a key known to be absent")
  local path = os.tmpname()
  equal(tasks:save(path), 51, "the saved entries: texts, and one key known to be absent")
  local other = echo()
  equal(other:load(path), 51, "the loaded entries")
  equal(other:get("key 4"), "text 4", "a loaded entry")
  local file = io.open(path, "wb")
  file:write("something else")
  file:close()
  local ok, reason = pcall(other.load, other, path)
  equal(ok, false, "a file that is no saved cache")
  equal(reason.status, K.ERR_CORRUPT, "the status")
  os.remove(path)
  ok, reason = pcall(other.load, other, path)
  equal(reason.name, "KVL_ERR_IO", "no file")
  equal(reason.message:find(path, 1, true) ~= nil, true, "the message names the file")
  other:close()
  tasks:close()
end)

scenario("f19 an engine with read = refresh reloads stored keys", function()
  local loads = 0
  local tasks = echo { read = "refresh", provider = function(keys)
    loads = loads + 1
    return { [keys[1]] = { loads } }
  end }
  for i = 1, 3 do
    equal(tasks:fetch("a")[1], i, "the fetch")
  end
  equal(tasks:fetch("a", { read = "normal" })[1], 3, "a fetch that reads the store")
  tasks:close()
end)

-- A provider that changes the list of its keys in this way.
local changes = {
  sorts = table.sort,
  ["reads from the end of"] = function(keys)
    while #keys > 0 do
      table.remove(keys)
    end
  end,
  ["writes numbers into"] = function(keys)
    for i = 1, #keys do
      keys[i] = i
    end
  end,
}
for what, change in pairs(changes) do
  scenario("f07 each key gets its own answer from a provider that " .. what .. " its list of keys", function()
    local tasks = echo { provider = function(keys)
      local rows = {}
      for _, key in ipairs(keys) do
        rows[key] = "row of " .. key
      end
      change(keys)
      return rows
    end }
    local found = tasks:fetch_all { "c", "b", "a" }
    for i, key in ipairs { "c", "b", "a" } do
      equal(found[i], "row of " .. key, "the answer")
      equal(tasks:get(key), "row of " .. key, "the stored answer")
    end
    tasks:close()
  end)
end

scenario("l04 the keys of a temporary list stay in memory until a fetch has begun", function()
  local asked
  local tasks = echo { provider = function(keys)
    asked = keys[1]
    return {}
  end }
  jit.off()
  -- Collects at each instruction of start_all(), also after the list of keys has gone out of use.
  local function temporary()
    return { table.concat { "a key that nobody else ", "holds ", tostring(math.random()) } .. ("x"):rep(200) }
  end
  local start_all = tasks.start_all
  debug.sethook(function() collectgarbage() end, "", 1)
  local fetch = start_all(tasks, temporary())
  debug.sethook()
  jit.on()
  fetch:wait()
  equal(asked:match "^a key that nobody else holds 0%.%d+x+$" ~= nil, true, "the key, which was " .. asked)
  tasks:close()
end)

for what, raise in pairs {
  ["a code that is no number"] = function() error(kvlight.failure("gone", "E404", true)) end,
  ["a message that is no string"] = function() error(kvlight.failure(404)) end,
  ["a text that is no string"] = function() error(setmetatable({}, { __tostring = function() return 7 end })) end,
} do
  scenario("f01 a provider that raises a failure with " .. what .. " answers its callers", function()
    local tasks = echo { provider = raise }
    local result = tasks:results({ "a" }, { timeout_ms = 5000 })[1]
    equal(result.status, K.ERR_PROVIDER, "the status")
    tasks:close()
  end)
end

scenario("f21 a provider that waits for its own key is refused", function()
  local tasks
  tasks = echo { provider = function(keys)
    return { [keys[1]] = tasks:fetch(keys[1] == "a" and "b" or "a") }
  end }
  local ok, reason = pcall(tasks.fetch, tasks, "a")
  equal(ok, false, "the fetch fails")
  equal(reason.name, "KVL_ERR_REENTRANT", "the error")
  equal(reason.message, 'the provider waits for the key "a", which it is to answer itself', "the message")
  tasks:close()
end)

scenario("f21 a provider may wait for keys of others, and for a key that it has answered", function()
  local tasks
  tasks = echo { ["batch.max_keys"] = 2, provider = function(keys, request)
    if keys[1] == "parent" then
      return { parent = 1 }
    end
    request:resolve(1, "first", { ttl_ms = 0 })
    return { [keys[2]] = tasks:fetch "parent" }
  end }
  equal(tasks:fetch_all({ "x", "y" })[2], 1, "the answer")
  tasks:close()
end)

scenario("f16 a provider that returns nothing and cannot answer later fails its keys", function()
  local tasks = echo { provider = function(keys) return keys.nothing end }
  local result = tasks:results({ "a" }, { timeout_ms = 5000 })[1]
  equal(result.status, K.ERR_PROVIDER, "the status")
  equal(tostring(result.error):find("returned nothing", 1, true) ~= nil, true, "the message")
  tasks:close()
end)

scenario("f16 a request that the program has lost ends while a fetch waits", function()
  local tasks = echo { provider = function(_, request) return request.nothing end }
  local result = tasks:results({ "a" }, { timeout_ms = 60000 })[1]
  equal(result.status, K.ERR_UNANSWERED, "the status")
  tasks:close()
end)

scenario("s20 puts release values although a coroutine was abandoned inside poll()", function()
  local tasks = echo { ["cache.capacity"] = 1, provider = function()
    coroutine.yield "in the provider"
    return {}
  end }
  local thread = coroutine.create(function() return tasks:fetch "a" end)
  repeat
    local _, where = coroutine.resume(thread)
  until where == "in the provider"
  for i = 1, 1000 do
    tasks:put("key " .. i, { i })
  end
  local held = 0
  for _ in pairs(tasks.objects) do
    held = held + 1
  end
  equal(held < 10, true, held .. " values are held")
  tasks:close()
end)

scenario("s20 puts of coroutines that poll() has resumed do not poll inside it", function()
  local tasks = echo()
  local deepest = 0
  local poll = tasks.poll
  function tasks.poll(...)
    deepest = math.max(deepest, tasks.polls)
    return poll(...)
  end
  for i = 1, 100 do
    coroutine.wrap(function()
      local here = coroutine.running()
      tasks:start("key " .. i, nil, function() coroutine.resume(here) end)
      coroutine.yield()
      tasks:put("other " .. i, "a value")
    end)()
  end
  while next(tasks.fetches) do
    tasks:poll(100)
  end
  equal(deepest, 0, "nested calls of poll()")
  tasks:close()
end)

scenario("f21 a fetch for the provider's own key that ends without a provider is not refused", function()
  local tasks, missing
  tasks = echo { provider = function(keys)
    local ok, value = pcall(tasks.fetch, tasks, keys[1], { read = "cache_only" })
    missing = ok and value == nil
    return { [keys[1]] = "a value" }
  end }
  equal(tasks:fetch "a", "a value", "the value")
  equal(missing, true, "the lookup inside the provider")
  tasks:close()
end)

scenario("l05 a provider that closes the cache reports nothing", function()
  local reported = 0
  local tasks
  tasks = echo { on_error = function() reported = reported + 1 end, provider = function(keys)
    tasks:close()
    return { [keys[1]] = "a value" }
  end }
  equal(tasks:results({ "a" })[1].status, K.ERR_CLOSED, "the status")
  equal(reported, 0, "reported errors")
end)

scenario("f15 the first answer of a key counts, and later ones say so", function()
  local second, after = nil, nil
  local tasks = echo { provider = function(keys, request)
    equal(request:resolve(1, "first"), true, "the first answer")
    second = { request:resolve(1, "second"), request:fail(1, "late") }
    request:answer { [keys[1]] = "third", [keys[2]] = "other" }
    request:finish()
    after = request:resolve(2, "after the end")
  end }
  local found = tasks:fetch_all { "a", "b" }
  equal(found[1], "first", "the first key")
  equal(found[2], "other", "the second key")
  equal(second[1] or second[2] or after, false, "later answers")
  tasks:close()
end)

scenario("l07 an error that a provider raises after its answers is reported", function()
  local reported = {}
  local tasks = echo {
    on_error = function(reason) reported[#reported + 1] = reason end,
    provider = function(_, request)
      request:resolve(1, "answer")
      error "too late"
    end,
  }
  equal(tasks:fetch "a", "answer", "the value")
  equal(#reported, 1, "the number of reported errors")
  equal(reported[1]:find("too late", 1, true) ~= nil, true, "the error")
  tasks:close()
end)

scenario("l09 what would be cut, rounded or taken for something else is refused", function()
  local tasks = echo()
  local function refused(text, call, ...)
    local ok, reason = pcall(call, tasks, ...)
    equal(ok, false, "refused: " .. text)
    equal(tostring(reason):find(text, 1, true) ~= nil, true, tostring(reason))
  end
  tasks:put("a", "old")
  refused("a path must not contain", tasks.save, "x\0y")
  refused("a path must be a string", tasks.load)
  refused("ttl_ms must be a whole number, not 1.5", tasks.put, "a", "new", { ttl_ms = 1.5 })
  refused("ttl_ms must be a whole number, not a boolean", tasks.put, "a", "new", { ttl_ms = true })
  refused("cost must be a whole number", tasks.put, "a", "new", { cost = 0 / 0 })
  refused("priority must be a number", tasks.put, "a", "new", { priority = "x" })
  refused("keep_ttl must be true or false", tasks.put, "a", "new", { keep_ttl = "no" })
  refused("ttl_ms must be a whole number", tasks.touch, "a", 0.5)
  refused("keys must be a list", tasks.fetch_all, "abc")
  refused("keys must be a list", tasks.fetch_all, { a = 1 })
  refused("must not contain the character NUL", tasks.fetch, "a", { ["timeout_ms\0"] = 5 })
  refused("settings must be a table", tasks.fetch, "a", 5)
  for _, timeout in ipairs { -0.5, -1.5, -2, 0 / 0, 1 / 0, "5" } do
    refused("a timeout must be a number of milliseconds", tasks.poll, timeout)
  end
  refused("takes a number of milliseconds, not NaN", tasks.sync_second_tier, 0 / 0)
  refused("takes a number of milliseconds, not a nil", tasks.sync_second_tier)
  equal(tasks:get "a", "old", "the entry")
  local ok, reason = pcall(kvlight.failure, "later", 0, { retry_after = 60 })
  equal(ok, false, "a misspelt term of a failure")
  equal(tostring(reason):find('a failure has no term "retry_after"', 1, true) ~= nil, true, tostring(reason))
  for _, settings in ipairs { { 1 }, { ["cache.capacity"] = true }, { ["cache.capacity"] = "10\0" }, { l2_url = "redis://\0" } } do
    equal(pcall(echo, settings), false, "settings")
  end
  tasks:close()
end)

tap.run()
