-- The second tier: a store that several caches share (rules T01 to T15). Prints TAP; run.sh sets the path of the library.

local kvlight = require "kvlight"
local tap = require "tap"

local K, equal, scenario = kvlight.K, tap.equal, tap.scenario

-- A store in memory that grants leases and compares tokens.
local function memory_tier()
  local rows, tokens = {}, 0
  local tier = { is_conditional = true, grants_leases = true, calls = {} }

  local function new_token()
    tokens = tokens + 1
    return "token " .. tokens
  end

  function tier:read(keys)
    self.calls.read = true
    local found = {}
    for _, key in ipairs(keys) do
      local row = rows[key]
      if not row then
        rows[key] = { token = new_token() }
        found[key] = { token = rows[key].token }
      elseif row.entry then
        found[key] = { data = row.entry.data, ttl_left_ms = row.entry.ttl_ms, token = row.token }
      else
        found[key] = { is_leased = true }
      end
    end
    return found
  end

  function tier:fill(entries)
    self.calls.fill = true
    local stored = {}
    for i, entry in ipairs(entries) do
      stored[i] = rows[entry.key] ~= nil and rows[entry.key].token == entry.token
      if stored[i] then
        rows[entry.key] = { token = new_token(), entry = entry }
      end
    end
    return stored
  end

  function tier:write(entries)
    self.calls.write = true
    for _, entry in ipairs(entries) do
      rows[entry.key] = { token = new_token(), entry = entry }
    end
  end

  function tier:remove(keys)
    for _, key in ipairs(keys) do
      rows[key] = nil
    end
  end

  function tier:clear()
    rows = {}
  end

  function tier:has(key)
    return rows[key] ~= nil and rows[key].entry ~= nil
  end

  return tier
end

-- `dump` and `load_name` are a codec for tables of the form { name = … }.
local function dump(value)
  return "name=" .. value.name
end

local function load_name(bytes)
  return { name = bytes:match "^name=(.*)$" }
end

local function sharing(tier, provider, more)
  local settings = { provider = provider, second_tier = tier, dump = dump, load = load_name, ["l2.timeout_ms"] = 60000, ["l2.wait_ms"] = 60000 }
  for name, value in pairs(more or {}) do
    settings[name] = value
  end
  return kvlight.tasks(settings)
end

local function nothing()
  return {}
end

scenario("t02 two caches share the strings, objects and absences that one loaded", function()
  local tier = memory_tier()
  local one = sharing(tier, function() return { text = "bytes", object = { name = "Ada" } } end)
  local other = sharing(tier, nothing)
  local keys = { "text", "object", "absent" }
  one:fetch_all(keys)
  equal(one:sync_second_tier(60000), true, "filled")
  local results = other:results(keys)
  equal(results[1].value, "bytes", "a string")
  equal(results[2].value.name, "Ada", "an object")
  equal(results[3].value, nil, "nothing")
  for i = 1, 3 do
    equal(results[i].source, K.SOURCE_L2, "the source of " .. keys[i])
  end
  one:put("put", { name = "Grace" })
  one:remove "text"
  equal(one:sync_second_tier(60000), true, "written")
  equal(tier:has "put" and not tier:has "text", true, "a put and a removal")
  equal(other:fetch("put").name, "Grace", "a put")
  one:clear()
  equal(one:sync_second_tier(60000) and not tier:has "put", true, "a clear")
  equal(other:stats().l2_hits, 4, "hits")
  one:close()
  other:close()
end)

scenario("t02 an object without a codec stays in the process, and the older entry is removed", function()
  local tier = memory_tier()
  local tasks = kvlight.tasks { provider = nothing, second_tier = tier }
  tasks:put("k", "bytes")
  equal(tasks:sync_second_tier(60000) and tier:has "k", true, "a string")
  local object = {}
  tasks:put("k", object)
  equal(tasks:sync_second_tier(60000) and tier:has "k", false, "an object")
  equal(tasks:get "k", object, "in the process")
  tasks:close()
end)

scenario("t03 a write beats an older load", function()
  local tier, request = memory_tier(), nil
  local loads = sharing(tier, function(_, the_request) request = the_request end)
  local writes = sharing(tier, nothing)
  local fetch = loads:start "k"
  while not request do
    loads:poll(100)
  end
  writes:put("k", "new")
  equal(writes:sync_second_tier(60000), true, "written")
  loads:invalidate { "k" }
  request:resolve(1, "old")
  request:finish()
  equal(fetch:wait().value, "old", "it was asked for before")
  equal(loads:fetch "k", "new", "the next fetch")
  equal(tier.calls.fill, nil, "fills")
  loads:close()
  writes:close()
end)

scenario("t01 no caller sees what the second tier does wrong", function()
  local wrong = {
    function() error("down", 0) end,
    function() return nil end,
    function() return 7 end,
    function() return { k = 7 } end,
    function() return { k = "no entry" } end,
    function() return { k = { data = {} } } end,
    function() return { k = { data = ("x"):rep(100), ttl_left_ms = -7 } } end,
    function() return { k = { err = "this key" } } end,
    function() return { k = { data = ("x"):rep(100), ttl_left_ms = -1.5 } } end,
  }
  for nth, read in ipairs(wrong) do
    local tier, reported = memory_tier(), {}
    tier.read = read
    tier.fill = function() return 7 end
    local tasks = sharing(tier, function() return { k = "loaded" } end, { on_error = function(reason) reported[#reported + 1] = reason end })
    equal(tasks:fetch "k", "loaded", "the fetch " .. nth)
    tasks:close()
    if nth == 1 then
      equal(reported[1], "down", "what is reported")
    elseif nth == #wrong then
      equal(reported[1], "kvlight: ttl_left_ms must be a whole number, not -1.5", "what is reported")
    end
  end
end)

scenario("t07 what could not be written is written again", function()
  local tier, is_down = memory_tier(), true
  local write = tier.write
  function tier:write(entries)
    if is_down then
      is_down = false
      error("down once", 0)
    end
    write(self, entries)
  end
  local reported
  local tasks = sharing(tier, nothing, { ["l2.break_ms"] = 1, on_error = function(reason) reported = reason end })
  tasks:put("k", "v")
  equal(tasks:sync_second_tier(60000) and tier:has "k", true, "the write")
  equal(reported, "down once", "what is reported")
  tasks:close()
end)

scenario("t03 t07 the second tier may change the list of keys that it is given", function()
  local tier, fails = memory_tier(), 1
  local read, remove = tier.read, tier.remove
  function tier:read(keys)
    table.sort(keys)
    return read(self, keys)
  end
  function tier:remove(keys)
    if fails > 0 then
      fails = fails - 1
      while table.remove(keys) do end
      error("down", 0)
    end
    remove(self, keys)
  end
  local tasks = sharing(tier, function() return { a = "row a", b = "row b" } end, { ["l2.break_ms"] = 1, on_error = function() end })
  tasks:fetch_all { "b", "a" }
  equal(tasks:sync_second_tier(60000) and tier:has "a" and tier:has "b", true, "each is filled with its own token")
  tasks:remove "a"
  tasks:remove "b"
  tasks:remove "c"
  equal(tasks:sync_second_tier(60000) and not tier:has "a" and not tier:has "b", true, "the removals are repeated")
  tasks:close()
end)

scenario("t07 a sync waits for what was loaded", function()
  local tier, request = memory_tier(), nil
  local tasks = sharing(tier, function(_, the_request) request = the_request end)
  local fetch = tasks:start "k"
  while not request do
    tasks:poll(100)
  end
  request:resolve(1, "row")
  request:finish()
  equal(tasks:sync_second_tier(60000) and tier:has "k", true, "the fill")
  equal(fetch:wait().value, "row", "the fetch")
  tasks:close()
end)

scenario("t07 a sync waits for its whole time, however many requests fail in it", function()
  local tier, failures, remove = memory_tier(), 0, nil
  remove = tier.remove
  function tier:remove(keys)
    if failures < 600 then
      failures = failures + 1
      error("down", 0)
    end
    remove(self, keys)
  end
  local settings = { ["l2.break_after"] = 1, ["l2.break_ms"] = 1, ["l2.break_cap_ms"] = 1, on_error = function() end }
  local tasks = sharing(tier, nothing, settings)
  tasks:remove "k"
  equal(tasks:sync_second_tier(1), false, "a sync that is too short")
  equal(tasks:sync_second_tier(5000), true, "a sync that is long enough")
  equal(failures, 600, "failures")
  tasks:close()
end)

scenario("l09 incomplete settings of a second tier are refused", function()
  equal(pcall(kvlight.tasks, { provider = nothing, second_tier = {} }), false, "no functions")
  equal(pcall(kvlight.tasks, { provider = nothing, second_tier = memory_tier(), dump = dump }), false, "half a codec")
  equal(pcall(kvlight.tasks, { provider = nothing, dump = dump, load = load_name }), false, "a codec alone")
end)

tap.run()
