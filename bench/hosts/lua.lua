-- Compares kvlight for LuaJIT with lua-resty-lrucache: prints lines of work, library and CPU nanoseconds for each key.

ngx = { now = os.time } -- all that lua-resty-lrucache needs of OpenResty: the time, in seconds

local kvlight = require "kvlight"
local lrucache = require "resty.lrucache"
local library = require "kvlight.library"

local KEYS = tonumber(os.getenv "KVL_BENCH_KEYS" or 100000)
local ROUNDS, BATCHES, ABSENT, MAX_KEYS, HOT = 5, 20, 1000, 64, 1000

local function row(key)
  return { id = key }
end

local function rows(keys)
  local found = {}
  for _, key in ipairs(keys) do
    found[key] = row(key)
  end
  return found
end

local tasks = kvlight.tasks { provider = rows, ["cache.capacity"] = 2 * KEYS, ["batch.max_keys"] = MAX_KEYS }
local lru = lrucache.new(2 * KEYS)
local order = {}
for i = 1, KEYS do
  order[i] = "key " .. i
  tasks:put(order[i], row(order[i]))
  lru:set(order[i], row(order[i]))
end
math.randomseed(1)
for i = KEYS, 2, -1 do
  local j = math.random(i)
  order[i], order[j] = order[j], order[i]
end

local names, costs = {}, {}
local function measured(work, name, keys, call)
  local line = work .. "\t" .. name
  local begun = os.clock() -- of all threads
  call()
  local cost = (os.clock() - begun) * 1e9 / keys
  if not costs[line] then
    names[#names + 1], costs[line] = line, {}
  end
  table.insert(costs[line], cost)
end

local function each_key(call)
  return function()
    for i = 1, KEYS do
      call(order[i])
    end
  end
end

-- The HOT keys fit into the processor's caches.
local function each_hot_key(call)
  return function()
    for _ = 1, KEYS / HOT do
      for i = 1, HOT do
        call(order[i])
      end
    end
  end
end

local function get_ours(key) return tasks:get(key) end
local function get_theirs(key) return lru:get(key) end
local function fetch_ours(key) return tasks:fetch(key) end
local function fetch_theirs(key)
  local value = lru:get(key)
  if value == nil then
    value = row(key)
    lru:set(key, value)
  end
  return value
end
local function fetch_all_theirs(keys)
  local missing, values = {}, {}
  for i, key in ipairs(keys) do
    values[i] = lru:get(key)
    if values[i] == nil then
      missing[#missing + 1] = key
    end
  end
  for first = 1, #missing, MAX_KEYS do
    local found = rows { unpack(missing, first, math.min(first + MAX_KEYS - 1, #missing)) }
    for key, value in pairs(found) do
      lru:set(key, value)
    end
  end
end

for round = 1, ROUNDS do
  measured("resident get", "kvlight", KEYS, each_key(get_ours))
  measured("resident get", "lua-resty-lrucache", KEYS, each_key(get_theirs))
  measured("get, of 1,000 keys", "kvlight", KEYS, each_hot_key(get_ours))
  measured("get, of 1,000 keys", "lua-resty-lrucache", KEYS, each_hot_key(get_theirs))
  measured("get, of 1,000 keys", "a bare call into C", KEYS, each_hot_key(function() return library.C.kvl_version_number() end))
  measured("resident fetch", "kvlight", KEYS, each_key(fetch_ours))
  measured("resident fetch", "lua-resty-lrucache", KEYS, each_key(fetch_theirs))
  local batches = {}
  for batch = 1, BATCHES do
    batches[batch] = {}
    for i = 1, ABSENT do
      batches[batch][i] = ("absent %d %d %d"):format(round, batch, i)
    end
  end
  measured("1,000 absent keys, 64 a request", "kvlight", BATCHES * ABSENT, function()
    for _, keys in ipairs(batches) do
      tasks:fetch_all(keys)
    end
  end)
  measured("1,000 absent keys, 64 a request", "lua-resty-lrucache", BATCHES * ABSENT, function()
    for _, keys in ipairs(batches) do
      fetch_all_theirs(keys)
    end
  end)
end
for _, line in ipairs(names) do
  table.sort(costs[line])
  print(("%s\t%.0f"):format(line, costs[line][math.ceil(ROUNDS / 2)]))
end
tasks:close()
