-- Fetches 100,000 keys while the interpreter runs compiled code: single fetches, batches, objects, errors, cancels, late
-- answers. Each key must settle exactly once. `luajit stress.lua SEED`; `run.sh stress` starts it many times.

local kvlight = require "kvlight"
math.randomseed(tonumber(arg[1]) or 1)

local FETCHES = 100000
local started, delivered, errors, created, dropped = 0, 0, 0, 0, 0
local later = {} -- requests to be answered later

local function answer(keys, request)
  for i, key in ipairs(keys) do
    local number = math.random(10)
    if number == 1 then
      request:fail(i, { key = key })
    elseif number <= 3 then
      created = created + 1
      request:resolve(i, { key = key })
    elseif number <= 8 then
      request:resolve(i, "value of " .. key)
    end
  end
  request:finish()
end

local tasks = kvlight.tasks {
  provider = function(keys, request)
    if math.random(4) == 1 then
      later[#later + 1] = request
    else
      answer(keys, request)
    end
  end,
  dropped = function() dropped = dropped + 1 end,
  ["cache.capacity"] = 2000,
  ["retry.count"] = 1,
  ["tasks.max_running"] = 64,
}

local function on_result(result)
  delivered = delivered + 1
  errors = errors + (result.error and 1 or 0)
end

local open, sum = {}, 0
while delivered < FETCHES do
  if started < FETCHES and math.random(8) == 1 then
    local keys = {}
    for i = 1, math.min(50, FETCHES - started) do
      keys[i] = "key " .. math.random(5000)
    end
    started = started + #keys
    tasks:start_all(keys, nil, function(results)
      for _, result in ipairs(results) do
        on_result(result)
      end
    end)
  elseif started < FETCHES and started - delivered < 5000 then
    started = started + 1
    open[#open + 1] = tasks:start("key " .. math.random(5000), nil, on_result)
    if #open > 20 then
      open[math.random(20)]:cancel()
      open = {}
    end
  end
  for i = 1, 200 do
    sum = (sum + i * delivered) % 1000003
  end
  tasks:poll()
  if math.random(3) == 1 then
    for _, request in ipairs(later) do
      answer(request.keys, request)
    end
    later = {}
  end
end
tasks:close()
assert(started == FETCHES and delivered == FETCHES, "not every fetch was delivered exactly once")
assert(next(tasks.objects) == nil and next(tasks.errors) == nil and dropped == created, "not every object was dropped exactly once")
print(("# %d fetches, %d errors, %d objects dropped"):format(delivered, errors, dropped))
