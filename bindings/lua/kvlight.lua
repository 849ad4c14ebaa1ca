-- kvlight for LuaJIT: a loading cache. Copy this file and kvlight_h.lua into your project.
--
--   local kvlight = require "kvlight"
--   local users = kvlight.tasks {
--     provider = function(keys)                    -- called with the keys that the cache lacks
--       return database:users(keys)                -- { key = value }; keys left out are remembered as absent
--     end,
--     ["cache.capacity"] = 10000,                  -- any setting of docs/CONFIGURATION.md
--   }
--   print(users:fetch("7"))                        -- a value, or nil: there is no such record
--   local rows = users:fetch_all { "7", "8", "7" } -- in the order asked; raises the first error
--   users:close()
--
-- Everything happens in poll(), on your thread: fetch() polls while it waits; a program with a loop of its own calls
-- start() with a function, waits on fd() and polls. No Lua function is ever handed to the library: a call from one of its
-- threads, or into Lua from a compiled trace, would break LuaJIT.

local ffi = require "ffi"
local K = require "kvlight_h"

local kvlight = { K = K }

-- ---- The library ---------------------------------------------------------------------------------------------------

local function load_library()
  local tried = {}
  local function try(name)
    local found, library = pcall(ffi.load, name)
    tried[#tried + 1] = name
    return found and library or nil
  end
  local wanted = os.getenv("KVL_LIBRARY")
  local library
  if wanted then
    library = try(wanted)
  else
    local here = debug.getinfo(1, "S").source:match("^@(.*/)") or "./"
    library = try(("libkvlight.so.%d.%d"):format(K.VERSION_MAJOR, K.VERSION_MINOR)) or try(here .. "../../target/release/libkvlight.so")
  end
  if not library then
    error("kvlight: no library found; tried " .. table.concat(tried, ", ") .. "; KVL_LIBRARY names one", 0)
  end
  local number = library.kvl_version_number()
  if math.floor(number / 1000) ~= math.floor(K.VERSION_NUMBER / 1000) then
    error("kvlight: this module is for another version than the library's " .. ffi.string(library.kvl_version_string()), 0)
  end
  return library
end

local C = load_library()

-- ---- Errors --------------------------------------------------------------------------------------------------------

-- An error of the library's: status (a number), name ("KVL_ERR_TIMEOUT"), message.
-- An error of the provider's arrives as the very value that it raised, at everybody who waited.
local Error = {}
Error.__index = Error
Error.__tostring = function(self)
  return self.name .. ": " .. self.message
end
kvlight.Error = Error

local function error_of(status, message)
  if not message or message == "" then
    message = ffi.string(C.kvl_status_message(status))
  end
  return setmetatable({ status = status, name = ffi.string(C.kvl_status_name(status)), message = message }, Error)
end

local function check(status, message)
  if status < 0 then
    error(error_of(status, message), 0)
  end
  return status
end

-- Makes what a provider puts in a key's place to fail that key alone. `permanent`: trying again is pointless.
local Failure = { __tostring = function(self) return self.message end }
function kvlight.failure(message, code, permanent)
  return setmetatable({ message = message, code = code or 0, permanent = permanent }, Failure)
end

-- ---- Settings ------------------------------------------------------------------------------------------------------

local function set(handle, prefix, key, value)
  local kind = type(value)
  if kind == "boolean" then
    return C[prefix .. "_set_int"](handle, key, value and 1 or 0)
  elseif kind == "number" then
    local whole = value % 1 == 0 and math.abs(value) < 2 ^ 53
    return C[prefix .. (whole and "_set_int" or "_set_real")](handle, key, value)
  elseif kind == "string" then
    return C[prefix .. "_set"](handle, key, value)
  end
  error(("kvlight: the setting %q takes a string, a number or a boolean, not a %s"):format(key, kind), 0)
end

-- What would have to be called by the library, maybe from a thread of its own.
local REFUSED = {
  validator = "check keys before you fetch them",
  cost = "state a value's cost in its answer: request:resolve(i, value, { cost = … })",
  removal_listener = "`dropped` hears of values that nobody holds any more",
  record_listener = "stats() counts lookups",
}

local function refuse_callbacks(settings)
  for name, instead in pairs(REFUSED) do
    if settings[name] ~= nil then
      error(("kvlight: LuaJIT cannot lend the library a function (%s): %s"):format(name, instead), 0)
    end
  end
  if settings.delivery ~= nil and settings.delivery ~= "queue" then
    error("kvlight: LuaJIT cannot be called from another thread; delivery is \"queue\", which poll() drains", 0)
  end
  if type(settings.provider) ~= "function" then
    error("kvlight: `provider` is missing: a function that is given a list of keys and returns { key = value }", 0)
  end
end

-- Settings that are this module's own business.
local OWN = { provider = true, dropped = true, delivery = true }

-- ---- Requests: what a provider is handed ---------------------------------------------------------------------------

-- A table of ttl_ms, priority, cost as the library reads it; nil states nothing.
local function stated(terms)
  return terms and ffi.new("kvl_terms_t", ffi.sizeof("kvl_terms_t"), terms.ttl_ms or K.TTL_DEFAULT,
    terms.priority or K.PRIORITY_DEFAULT, terms.cost or K.COST_DEFAULT)
end

local Request = {}
Request.__index = Request

local function position(self, i)
  if not self.keys[i] then
    error(("kvlight: the request has %d keys, and %s is none of them"):format(#self.keys, tostring(i)), 3)
  end
  return i - 1
end

-- Answers the i-th key. `terms` may have ttl_ms, priority, cost. True if it came in time.
function Request:resolve(i, value, terms)
  local at = position(self, i)
  local handle = self.tasks:_value(value)
  local status = C.kvl_request_resolve(self.handle, at, handle, stated(terms))
  C.kvl_value_release(handle)
  return check(status) == K.OK
end

-- Fails the i-th key with a kvlight.failure(), or any value that is to arrive at those who wait.
function Request:fail(i, why)
  local at = position(self, i)
  local handle = self.tasks:_error(why)
  local status = C.kvl_request_fail(self.handle, at, handle)
  C.kvl_error_release(handle)
  return check(status) == K.OK
end

-- Finishes: what has no answer is null.
function Request:finish()
  check(C.kvl_request_finish_nulls(self.handle))
end

-- Finishes: what has no answer fails.
function Request:finish_error(why)
  local handle = self.tasks:_error(why)
  local status = C.kvl_request_finish_error(self.handle, handle)
  C.kvl_error_release(handle)
  check(status)
end

-- Whether nobody waits for it any more.
function Request:is_cancelled()
  return C.kvl_request_is_cancelled(self.handle) ~= K.CANCEL_NO
end

-- Which attempt the i-th key is in, from 1.
function Request:attempt(i)
  return C.kvl_request_attempt(self.handle, position(self, i))
end

-- Answers all keys from { key = value }; what it lacks is null.
function Request:answer(rows)
  for i, key in ipairs(self.keys) do
    local row = rows[key]
    if getmetatable(row) == Failure then
      self:fail(i, row)
    elseif row ~= nil then
      self:resolve(i, row)
    end
  end
  self:finish()
end

-- ---- Fetches -------------------------------------------------------------------------------------------------------

local Fetch = {}
Fetch.__index = Fetch

-- Tells those who wait for it that it is cancelled, and nobody else.
function Fetch:cancel()
  check(C.kvl_fetch_cancel(self.handle))
end

-- Polls until it is done, and returns what its function is called with.
function Fetch:wait()
  while not self.is_done do
    self.tasks:poll(100)
  end
  return self.outcome
end

-- ---- The engine ----------------------------------------------------------------------------------------------------

local Tasks = {}
Tasks.__index = Tasks

local out_value = ffi.typeof "kvl_value_t *[1]"
local out_error = ffi.typeof "kvl_error_t *[1]"
local out_results = ffi.typeof "kvl_results_t *[1]"
local slices_of = ffi.typeof "kvl_slice_t[?]"
local EVENT_SIZE = ffi.sizeof "kvl_event_t"

-- The engine and its queue, which end together: by close(), else by the collector. Neither waits for code of ours, since all of
-- it runs in poll().
ffi.cdef "typedef struct { kvl_tasks_t *tasks; kvl_queue_t *queue; } kvl_lua_pair_t;"
local function end_pair(pair)
  C.kvl_tasks_free(pair.tasks)
  C.kvl_queue_free(pair.queue)
  pair.tasks, pair.queue = nil, nil
end
local Pair = ffi.metatype("kvl_lua_pair_t", { __gc = end_pair })

function kvlight.tasks(settings)
  refuse_callbacks(settings)
  local pair = Pair()
  local out = ffi.new "kvl_queue_t *[1]"
  check(C.kvl_queue_new(0, out))
  pair.queue = out[0]

  local config_out = ffi.new "kvl_config_t *[1]"
  check(C.kvl_config_new(config_out))
  local config = ffi.gc(config_out[0], C.kvl_config_free)
  for key, value in pairs(settings) do
    if not OWN[key] then
      -- What was refused is said by kvl_tasks_new() in a sentence.
      set(config, "kvl_config", key, value)
    end
  end
  check(C.kvl_config_set_queue(config, pair.queue, K.QUEUE_F_ALL))
  check(C.kvl_config_set_provider(config, nil, nil, nil))

  local tasks_out, failed = ffi.new "kvl_tasks_t *[1]", out_error()
  local status = C.kvl_tasks_new(config, tasks_out, failed)
  if failed[0] ~= nil then
    local message = ffi.string(C.kvl_error_message(failed[0]))
    C.kvl_error_release(failed[0])
    error(error_of(status, message), 0)
  end
  check(status)
  pair.tasks = tasks_out[0]

  return setmetatable({
    pair = pair,
    provider = settings.provider,
    dropped = settings.dropped,
    event = ffi.new "kvl_event_t",
    last_id = 0,
    fetches = {}, -- by id, until their last event
    objects = {}, -- values by id, until the library says that nobody holds them
    errors = {}, -- what providers failed with, likewise
  }, Tasks)
end

local function id_of(pointer)
  return tonumber(ffi.cast("uintptr_t", pointer))
end

function Tasks:_id()
  self.last_id = self.last_id + 1
  return self.last_id, ffi.cast("void *", self.last_id)
end

function Tasks:_open()
  if self.pair.tasks == nil then
    error(error_of(K.ERR_CLOSED), 0)
  end
  return self.pair.tasks
end

-- A handle for a value of Lua's: strings are bytes, nil is null, all else is an object that stays in Lua.
function Tasks:_value(value)
  if value == nil then
    return C.kvl_value_null()
  end
  local out = out_value()
  if type(value) == "string" then
    check(C.kvl_value_new_bytes(value, #value, out))
  else
    local id, pointer = self:_id()
    check(C.kvl_value_new_object_on(self.pair.queue, pointer, 0, nil, out))
    self.objects[id] = value
  end
  return out[0]
end

function Tasks:_error(why)
  local message = tostring(why)
  local code, permanent = 0, false
  if getmetatable(why) == Failure then
    code, permanent = why.code, why.permanent
  end
  local out = out_error()
  local id, pointer = self:_id()
  check(C.kvl_error_new_object(code, message, #message, permanent and K.ERROR_F_PERMANENT or 0, self.pair.queue, pointer, nil, out))
  self.errors[id] = why
  return out[0]
end

local function from_value(self, value)
  local object = C.kvl_value_object(value)
  if object ~= nil then
    return self.objects[id_of(object)]
  end
  local len = ffi.new "size_t[1]"
  return ffi.string(C.kvl_value_data(value, len), len[0])
end

local function from_error(self, failed)
  local object = C.kvl_error_object(failed)
  if object ~= nil then
    return self.errors[id_of(object)]
  end
  return error_of(C.kvl_error_status(failed), ffi.string(C.kvl_error_message(failed)))
end

-- A result as Lua sees it: status (K.VALUE, K.NULL, K.MISS, K.INVALID_KEY or an error's), key, value, error, source, attempts.
local function from_result(self, result)
  local status = result.status
  local value, failed
  if status == K.VALUE then
    if result.object ~= nil then
      value = self.objects[id_of(result.object)]
    else
      value = ffi.string(result.data, result.data_len)
    end
  elseif status < 0 then
    failed = from_error(self, result.error)
  end
  return {
    status = status,
    key = ffi.string(result.key, result.key_len),
    value = value,
    error = failed,
    source = result.source,
    attempts = result.attempts,
  }
end

local function from_results(self, results)
  local list = {}
  for i = 1, tonumber(C.kvl_results_len(results)) do
    list[i] = from_result(self, C.kvl_results_at(results, i - 1))
  end
  return list
end

-- Calls `use` with options made from a table, or with nil.
local function with_options(settings, use)
  if not settings then
    return use(nil)
  end
  local out = ffi.new "kvl_options_t *[1]"
  check(C.kvl_options_new(out))
  local options = ffi.gc(out[0], C.kvl_options_free)
  for key, value in pairs(settings) do
    local status = set(options, "kvl_options", key, value)
    if status < 0 then
      check(status, ffi.string(C.kvl_options_problem(options)))
    end
  end
  return use(options)
end

local function slices(keys)
  local n = #keys
  local list = slices_of(n)
  for i = 1, n do
    local key = keys[i]
    if type(key) ~= "string" then
      error("kvlight: keys are strings, and the one at " .. i .. " is a " .. type(key), 3)
    end
    list[i - 1].data, list[i - 1].len = key, #key
  end
  return list, n
end

-- A fetch that is under way once `call` says KVL_PENDING.
local function begin(self, tell, call)
  local out = ffi.new "kvl_fetch_t *[1]"
  check(C.kvl_fetch_new(out))
  local id, pointer = self:_id()
  local fetch = setmetatable({ tasks = self, handle = ffi.gc(out[0], C.kvl_fetch_release), tell = tell }, Fetch)
  self.fetches[id] = fetch
  local status = call(fetch.handle, pointer)
  if status ~= K.PENDING then
    self.fetches[id] = nil
    check(status)
  end
  return fetch
end

-- Begins to fetch one key; `tell` is called by poll() with its result. Options are settings that are "per fetch".
function Tasks:start(key, options, tell)
  local tasks = self:_open()
  return with_options(options, function(opts)
    return begin(self, tell, function(fetch, pointer)
      return C.kvl_tasks_fetch(tasks, key, #key, opts, fetch, nil, pointer, nil, nil)
    end)
  end)
end

-- Begins to fetch many keys; `tell` is called by poll() with the list of all their results.
function Tasks:start_all(keys, options, tell)
  local tasks = self:_open()
  local list, n = slices(keys)
  return with_options(options, function(opts)
    return begin(self, tell, function(fetch, pointer)
      return C.kvl_tasks_fetch_all(tasks, list, n, opts, fetch, nil, pointer, nil, nil)
    end)
  end)
end

-- What the cache has, without asking the provider: its value, and K.VALUE, K.NULL, K.MISS or K.INVALID_KEY.
function Tasks:get(key)
  local out = out_value()
  local status = check(C.kvl_tasks_get(self:_open(), key, #key, out))
  if status ~= K.VALUE then
    return nil, status
  end
  local value = from_value(self, out[0])
  C.kvl_value_release(out[0])
  return value, status
end

-- The value of one key, nil if there is none; waits for it, and raises what made it fail.
function Tasks:fetch(key, options)
  if not options then
    local value, status = self:get(key)
    if status ~= K.MISS then
      return value
    end
  end
  local result = self:start(key, options):wait()
  if result.error ~= nil then
    error(result.error, 0)
  end
  return result.value
end

-- What came of each key, in the order asked; raises nothing that befell a single key.
function Tasks:results(keys, options)
  return self:start_all(keys, options):wait()
end

-- The values of many keys, in the order asked, with nil where there is none; raises the first error.
function Tasks:fetch_all(keys, options)
  local values = {}
  for i, result in ipairs(self:results(keys, options)) do
    if result.error ~= nil then
      error(result.error, 0)
    end
    values[i] = result.value
  end
  return values
end

local function with_cache(self, use)
  local out = ffi.new "kvl_cache_t *[1]"
  check(C.kvl_tasks_cache(self:_open(), out))
  local status = use(out[0])
  C.kvl_cache_release(out[0])
  return check(status)
end

-- Stores a value; nil is "known to be absent". `terms` may have ttl_ms, priority, cost. True if it got in.
function Tasks:put(key, value, terms)
  self:_open()
  local handle = self:_value(value)
  local status = with_cache(self, function(cache)
    local status = C.kvl_cache_put(cache, key, #key, handle, stated(terms))
    C.kvl_value_release(handle)
    return status
  end)
  return status == K.OK
end

-- Removes what is stored under a key. True if there was something.
function Tasks:remove(key)
  return with_cache(self, function(cache) return C.kvl_cache_remove(cache, key, #key) end) == K.OK
end

-- Removes everything.
function Tasks:clear()
  with_cache(self, function(cache) return C.kvl_cache_clear(cache) end)
end

-- What was counted: a kvl_stats_t, whose fields are 64-bit numbers.
function Tasks:stats()
  local stats = ffi.new "kvl_stats_t"
  check(C.kvl_tasks_stats(self:_open(), stats, ffi.sizeof(stats)))
  return stats
end

-- ---- Events --------------------------------------------------------------------------------------------------------

local function settle(self, id, is_last, outcome)
  local fetch = self.fetches[id]
  if is_last then
    self.fetches[id] = nil
  end
  fetch.outcome, fetch.is_done = outcome, true
  if fetch.tell then
    fetch.tell(outcome)
  end
end

local function ask(self, handle)
  local request = setmetatable({ tasks = self, handle = ffi.gc(C.kvl_request_retain(handle), C.kvl_request_release), keys = {} }, Request)
  local keys = C.kvl_request_keys(handle)
  for i = 1, tonumber(C.kvl_request_len(handle)) do
    request.keys[i] = ffi.string(keys[i - 1].data, keys[i - 1].len)
  end
  local went_well, rows = pcall(self.provider, request.keys, request)
  if went_well and rows == nil then
    return -- It keeps the request, and answers later.
  end
  if went_well then
    went_well, rows = pcall(request.answer, request, rows)
  end
  if not went_well and self.pair.tasks ~= nil then
    local handle_of_error = self:_error(rows)
    C.kvl_request_finish_error(request.handle, handle_of_error)
    C.kvl_error_release(handle_of_error)
  end
end

-- All that an event borrows is read before code of the program's runs: that code may poll, too.
local function handle_event(self, event)
  local kind = event.kind
  if kind == K.EVENT_RESULT then
    settle(self, id_of(event.user_data), event.flags % 2 == K.F_LAST, from_result(self, event.result))
  elseif kind == K.EVENT_RESULTS then
    settle(self, id_of(event.user_data), true, from_results(self, event.results))
  elseif kind == K.EVENT_REQUEST then
    ask(self, event.request)
  elseif kind == K.EVENT_DROP then
    local id = id_of(event.user_data)
    local object = self.objects[id]
    self.objects[id], self.errors[id] = nil, nil
    if object ~= nil and self.dropped then
      self.dropped(object)
    end
  end
end

-- Handles what waits; waits for the first event for up to `timeout_ms` (0: not at all). Returns how many there were.
function Tasks:poll(timeout_ms)
  local count = 0
  local patience = timeout_ms or 0
  while self.pair.queue ~= nil do
    local event = self.event
    if check(C.kvl_queue_next(self.pair.queue, patience, event, EVENT_SIZE)) == K.EMPTY then
      break
    end
    count, patience = count + 1, 0
    handle_event(self, event)
  end
  return count
end

-- A descriptor that is readable while poll() has something to do.
function Tasks:fd()
  self:_open()
  local out = ffi.new "int32_t[1]"
  check(C.kvl_queue_fd(self.pair.queue, out))
  return out[0]
end

-- Ends the engine: whoever waits is told KVL_ERR_CLOSED, here, and `dropped` hears of all objects. May be called twice.
function Tasks:close()
  if self.pair.tasks ~= nil then
    check(C.kvl_tasks_free(self.pair.tasks))
    self.pair.tasks = nil
  end
  self:poll(0)
  -- A function that poll() called may have closed as well.
  if self.pair.queue ~= nil then
    check(C.kvl_queue_free(self.pair.queue))
    self.pair.queue = nil
  end
end

return kvlight
