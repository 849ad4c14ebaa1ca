-- The cache with its provider, fetches, and the loop that handles events.

local bit = require "bit"
local ffi = require "ffi"
local library = require "kvlight.library"
local redis = require "kvlight.redis"
local Request = require "kvlight.request"
local second_tier = require "kvlight.second_tier"
local statistics = require("kvlight.native").statistics

local C, K, check, error_of, id_of = library.C, library.K, library.check, library.error_of, library.id_of

-- Whether the running code can yield: it cannot outside coroutines, nor inside a C function that calls Lua, such as gsub(). Only
-- coroutine.isyieldable() knows of the latter, where it exists.
local function can_yield()
  if coroutine.isyieldable then
    return coroutine.isyieldable()
  end
  local running, is_main = coroutine.running()
  return running ~= nil and not is_main
end

-- The running coroutine, or a name for the main one.
local function current()
  return coroutine.running() or "main"
end

-- Whether the running code was called by poll(), also through coroutines. A coroutine in `polling` that is suspended or dead was left
-- inside poll(), and calls nothing now.
local function is_polling(self)
  for thread in pairs(self.polling) do
    local status = thread == "main" and "normal" or coroutine.status(thread)
    if status == "normal" or status == "running" then
      return true
    end
  end
  return false
end

-- ---- Fetches -------------------------------------------------------------------------------------------------------

local Fetch = {}
Fetch.__index = Fetch

-- Cancels this fetch alone, which then fails with KVL_ERR_CANCELLED.
function Fetch:cancel()
  check(C.kvl_fetch_cancel(self.handle))
end

-- Waits until the fetch is done, and returns its result, or its list of results.
function Fetch:wait()
  local tasks = self.tasks
  if not self.is_done and #tasks.providing > 0 and not tasks.wait and not can_yield() then
    tasks:poll() -- an outcome that needs no provider, such as a fallback, is in the queue already
    if not self.is_done then
      tasks:_check_can_end(self)
    end
  end
  while not self.is_done do
    tasks:_wait(self)
  end
  return self.outcome
end

-- ---- The cache -----------------------------------------------------------------------------------------------------

local M = {}
local Tasks = {}
Tasks.__index = Tasks

local out_value = ffi.typeof "kvl_value_t *[1]"
local out_error = ffi.typeof "kvl_error_t *[1]"
local slices_of = ffi.typeof "kvl_slice_t[?]"
local handles_of = ffi.typeof "struct { kvl_tasks_t *tasks; kvl_queue_t *queue; kvl_redis_t *redis; }"
local EVENT_SIZE = ffi.sizeof "kvl_event_t"
local RESULT_SIZE = ffi.sizeof "kvl_result_t"
local TRANSFER_SIZE = ffi.sizeof "kvl_transfer_t"

-- Settings of this module, not of the library.
local OWN = { provider = true, dropped = true, on_error = true, wait = true, wake = true, spawn = true, delivery = true,
  second_tier = true, l2_url = true, dump = true, load = true }

-- Callbacks that the library would call on its own threads, and what to use instead.
local UNSUPPORTED = {
  validator = "check keys before you fetch them",
  cost = "pass the cost of a value with its answer: request:resolve(i, value, { cost = … })",
  removal_listener = "`dropped` is called with each value that is not a string once neither the cache nor a fetch holds it",
  record_listener = "stats() counts lookups",
}

local function check_settings(settings)
  for name, instead in pairs(UNSUPPORTED) do
    if settings[name] ~= nil then
      error(("kvlight: `%s` is not available in LuaJIT, whose functions cannot run on other threads: %s"):format(name, instead), 0)
    end
  end
  if settings.delivery ~= nil and settings.delivery ~= "queue" then
    error("kvlight: `delivery` must be \"queue\", which poll() reads: LuaJIT cannot be called from another thread", 0)
  end
  if settings.second_tier ~= nil and settings.l2_url ~= nil then
    error("kvlight: `second_tier` and `l2_url` exclude each other: there is one second tier", 0)
  end
  if (settings.dump == nil) ~= (settings.load == nil) or (settings.dump and not (settings.second_tier or settings.l2_url)) then
    error("kvlight: `dump` and `load` go together, with a `second_tier` or an `l2_url`: `load` reads what `dump` wrote", 0)
  end
  if type(settings.provider) ~= "function" then
    error("kvlight: `provider` is missing: a function that takes a list of keys and returns { key = value }", 0)
  end
end

-- Ends the connection to a server, which uses the engine until then.
local function end_server(handles)
  redis.free(handles.redis)
  handles.redis = nil
end

-- Frees an engine, its queue and its connection when they are garbage collected. This does not wait for code of the program, which runs only in poll().
local function free_handles(handles)
  end_server(handles)
  C.kvl_tasks_free(handles.tasks)
  C.kvl_queue_free(handles.queue)
  handles.tasks, handles.queue = nil, nil
end

local function print_error(message)
  io.stderr:write("kvlight: the provider, a function given to start(), `dropped` or the second tier raised ", message, "\n")
end

-- Creates the cache. The settings are those of docs/CONFIGURATION.md, and these:
--   provider  is called with a list of keys and the Request. It returns { key = value }, or nothing to answer later.
--   dropped   is called with each value that is not a string once neither the cache nor a fetch holds it any longer.
--   on_error  is called with errors of functions passed to start(), of `dropped` and of the second tier, and with errors of the provider that no caller
--             receives. Without it they are printed.
--   second_tier  is a store in which keys are looked up before the provider is called, and which several processes may share: see kvlight.second_tier.
--   l2_url       instead of second_tier: a Redis or Valkey server, as in "redis://user:password@host:6379/0?prefix=shop". It needs libkvlight_redis;
--                the options of the URL are those of kvlight_redis.h. poll() waits for the server while it serves a request.
--   dump, load   convert a value that is no string to a string for the second tier, and back. Without them such values stay in this process.
-- For schedulers of coroutines:
--   wait      is called repeatedly with a fetch that is not done, and lets other coroutines and poll() run. Without it, a wait yields in
--             coroutines and blocks elsewhere.
--   wake      is called with a fetch that is done, so that `wait` may sleep until then.
--   spawn     is called with a function that calls the provider, and runs it in a separate coroutine. Without it, providers run in poll().
function M.new(settings)
  check_settings(settings)
  local handles = ffi.gc(handles_of(), free_handles)
  local out = ffi.new "kvl_queue_t *[1]"
  check(C.kvl_queue_new(0, out))
  handles.queue = out[0]

  local config_out = ffi.new "kvl_config_t *[1]"
  check(C.kvl_config_new(config_out))
  local config = ffi.gc(config_out[0], C.kvl_config_free)
  library.apply("kvl_config", config, settings, OWN)
  check(C.kvl_config_set_queue(config, handles.queue, bit.bor(K.QUEUE_F_ALL, K.QUEUE_F_L2)))
  local tier = settings.second_tier
  if settings.l2_url ~= nil then
    tier = redis.open(settings.l2_url)
    handles.redis = tier.handle
  end
  if tier ~= nil then
    check(C.kvl_config_set_l2(config, second_tier.abilities(tier), nil, nil, nil))
  end
  check(C.kvl_config_set_provider(config, nil, nil, nil))
  local tasks_out = ffi.new "kvl_tasks_t *[1]"
  local error_out = out_error()
  local status = C.kvl_tasks_new(config, tasks_out, error_out)
  if status < 0 then
    local message = error_out[0] ~= nil and ffi.string(C.kvl_error_message(error_out[0])) or nil
    C.kvl_error_release(error_out[0])
    error(error_of(status, message), 0)
  end
  handles.tasks = tasks_out[0]
  if handles.redis ~= nil then
    tier:attach(handles.tasks)
  end

  return setmetatable({
    handles = handles,
    provider = settings.provider,
    dropped = settings.dropped,
    on_error = settings.on_error,
    wait = settings.wait,
    wake = settings.wake,
    spawn = settings.spawn,
    second_tier = tier,
    dump_value = settings.dump,
    load_value = settings.load,
    reads_store_first = C.kvl_tasks_reads_store_first(handles.tasks) ~= 0, -- a fetch without options may start with get()
    event = ffi.new "kvl_event_t",
    last_id = 0,
    polls = 0, -- how many calls of poll() are handling an event, also in coroutines that will never be resumed
    polling = setmetatable({}, { __mode = "k" }), -- the coroutines in which they do
    providing = {}, -- the requests whose provider is running in poll(), outside coroutines: each has called the next one in a wait
    fetches = {}, -- by ID, until their last event
    objects = {}, -- values by ID, until the library reports that it dropped them
    errors = {}, -- errors of providers by ID, likewise
  }, Tasks)
end

function Tasks:_new_id()
  self.last_id = self.last_id + 1
  return self.last_id, ffi.cast("void *", self.last_id)
end

function Tasks:_check_open()
  if self.handles.tasks == nil then
    error(error_of(K.ERR_CLOSED), 0)
  end
  return self.handles.tasks
end

-- Creates a handle for a value. A string becomes bytes, nil becomes null, and anything else an object that stays in Lua.
function Tasks:_new_value(value)
  if value == nil then
    return C.kvl_value_null()
  end
  self:_check_open()
  local out = out_value()
  if type(value) == "string" then
    check(C.kvl_value_new_bytes(value, #value, out))
  else
    local id, pointer = self:_new_id()
    check(C.kvl_value_new_object_on(self.handles.queue, pointer, 0, nil, out))
    self.objects[id] = value
  end
  return out[0]
end

function Tasks:_new_error(reason)
  self:_check_open()
  if reason == nil then
    reason = "an error without a value"
  end
  local is_text, message = pcall(tostring, reason)
  if not is_text or type(message) ~= "string" then
    message = type(reason)
  end
  local terms = library.is_failure(reason) and reason or {}
  local flags = (terms.permanent and K.ERROR_F_PERMANENT or 0) + (terms.no_stale and K.ERROR_F_NO_STALE or 0)
  local out = out_error()
  local id, pointer = self:_new_id()
  check(C.kvl_error_new_object(terms.code or 0, message, #message, flags, self.handles.queue, pointer, nil, out))
  self.errors[id] = reason
  if terms.retry_after_ms then
    C.kvl_error_set_retry_after(out[0], terms.retry_after_ms)
  end
  return out[0]
end

local function from_value(self, value)
  local object = C.kvl_value_object(value)
  if object ~= nil then
    return self.objects[id_of(object)]
  end
  local len = ffi.new "size_t[1]"
  local data = C.kvl_value_data(value, len)
  return ffi.string(data, len[0])
end

-- Returns the Lua value of a handle, for other files of this module.
function Tasks:_from_value(value)
  return from_value(self, value)
end

local function from_error(self, native_error)
  local object = C.kvl_error_object(native_error)
  if object ~= nil then
    return self.errors[id_of(object)]
  end
  local result = error_of(C.kvl_error_status(native_error), ffi.string(C.kvl_error_message(native_error)))
  local cause = C.kvl_error_cause(native_error)
  if cause ~= nil then
    result.cause = from_error(self, cause)
  end
  return result
end

-- Converts a result: status (K.VALUE, K.NULL, K.MISS, K.INVALID_KEY or that of the error), key, value, error, source, attempts, age_ms, ttl_left_ms
-- (-1 for never, 0 if it is not stored) and is_stale: the value has expired and is served as a fallback. `error` is then the error of the load, or
-- nil if it took too long (stale.timeout_ms).
local function from_result(self, result)
  local status = result.status
  local value, reason
  if status == K.VALUE then
    if result.object ~= nil then
      value = self.objects[id_of(result.object)]
    else
      value = ffi.string(result.data, result.data_len)
    end
  end
  if result.error ~= nil then
    reason = from_error(self, result.error)
  end
  return {
    status = status,
    key = ffi.string(result.key, result.key_len),
    value = value,
    error = reason,
    source = result.source,
    attempts = result.attempts,
    age_ms = tonumber(result.age_ms),
    ttl_left_ms = tonumber(result.ttl_left_ms),
    is_stale = bit.band(result.flags, K.F_STALE) ~= 0,
  }
end

local function from_results(self, results)
  local list = {}
  for i = 1, tonumber(C.kvl_results_len(results)) do
    list[i] = from_result(self, C.kvl_results_at(results, i - 1))
  end
  return list
end

-- Calls `use` with the options of a table, or with nil.
local function with_options(settings, use)
  if not settings then
    return use(nil)
  end
  local out = ffi.new "kvl_options_t *[1]"
  check(C.kvl_options_new(out))
  local options = ffi.gc(out[0], C.kvl_options_free)
  library.apply("kvl_options", options, settings)
  return use(options)
end

local function key_of(key)
  return type(key) == "string" and key or error("kvlight: keys are strings, not a " .. type(key), 0)
end

-- The keys by list of kvl_slice_t: keeps the strings that a list points to alive as long as the list.
local keys_of_slices = setmetatable({}, { __mode = "k" })

local function slices(keys)
  if type(keys) ~= "table" or (#keys == 0 and next(keys) ~= nil) then
    error("kvlight: keys must be a list of strings" .. (type(keys) == "table" and "" or ", not a " .. type(keys)), 0)
  end
  local n = #keys
  local list = slices_of(n)
  keys_of_slices[list] = keys
  for i = 1, n do
    local key = keys[i]
    if type(key) ~= "string" then
      error("kvlight: keys are strings, but key " .. i .. " is a " .. type(key), 0)
    end
    list[i - 1].data, list[i - 1].len = key, #key
  end
  return list, n
end

-- Starts a fetch of `keys`, a key or a list of keys, with `call`, which returns KVL_PENDING if the fetch is in progress.
local function start_fetch(self, keys, on_result, call)
  local out = ffi.new "kvl_fetch_t *[1]"
  check(C.kvl_fetch_new(out))
  local id, pointer = self:_new_id()
  local fetch = setmetatable({ tasks = self, handle = ffi.gc(out[0], C.kvl_fetch_release), keys = keys, on_result = on_result }, Fetch)
  self.fetches[id] = fetch
  local status = call(fetch.handle, pointer)
  if status ~= K.PENDING then
    self.fetches[id] = nil
    check(status)
  end
  return fetch
end

-- Starts to fetch one key; poll() calls `on_result` with its result. Options are the settings that are "per fetch".
function Tasks:start(key, options, on_result)
  local tasks = self:_check_open()
  key_of(key)
  return with_options(options, function(opts)
    return start_fetch(self, key, on_result, function(fetch, pointer)
      return C.kvl_tasks_fetch(tasks, key, #key, opts, fetch, nil, pointer, nil, nil)
    end)
  end)
end

-- Starts to fetch many keys; poll() calls `on_result` once, with the list of their results.
function Tasks:start_all(keys, options, on_result)
  local tasks = self:_check_open()
  local list, n = slices(keys)
  return with_options(options, function(opts)
    return start_fetch(self, keys, on_result, function(fetch, pointer)
      return C.kvl_tasks_fetch_all(tasks, list, n, opts, fetch, nil, pointer, nil, nil)
    end)
  end)
end

-- The outputs of a lookup. They are read before any other code runs, so one of each is enough for all caches.
local found_object, found_bytes = ffi.new "void *[1]", out_value()

-- Looks a key up, without calling the provider. Returns the value, and K.VALUE, K.NULL, K.MISS or K.INVALID_KEY.
function Tasks:get(key)
  local status = check(C.kvl_tasks_get_object(self:_check_open(), key_of(key), #key, found_object, found_bytes))
  if status ~= K.VALUE then
    return nil, status
  end
  local bytes = found_bytes[0]
  if bytes == nil then
    return self.objects[id_of(found_object[0])], status
  end
  local value = from_value(self, bytes)
  C.kvl_value_release(bytes)
  return value, status
end

-- Waits for the value of one key, and returns it, or nil if there is no such record; raises the error of a key that fails.
function Tasks:fetch(key, options)
  if not options and self.reads_store_first then
    local value, status = self:get(key)
    if status ~= K.MISS then
      return value
    end
  end
  local result = self:start(key, options):wait()
  if result.status < 0 then
    error(result.error, 0)
  end
  return result.value
end

-- Returns the result of each key, in the order of the keys. The error of a key is in its result and is not raised.
function Tasks:results(keys, options)
  return self:start_all(keys, options):wait()
end

-- Returns the values of many keys, in the order of the keys, with nil where there is no such record; raises the first error.
function Tasks:fetch_all(keys, options)
  local values = {}
  for i, result in ipairs(self:results(keys, options)) do
    if result.status < 0 then
      error(result.error, 0)
    end
    values[i] = result.value
  end
  return values
end

local function with_cache(self, use)
  local out = ffi.new "kvl_cache_t *[1]"
  check(C.kvl_tasks_cache(self:_check_open(), out))
  local status = use(out[0])
  C.kvl_cache_release(out[0])
  return check(status)
end

-- Stores a value; nil stores the key as known to be absent. `terms` may have ttl_ms, priority, cost, stale_ttl_ms, version, tags, keep_ttl,
-- only_if. Returns whether it was stored. Polls unless poll() called it, so that a program that makes only puts releases dropped values too.
function Tasks:put(key, value, terms)
  self:_check_open()
  key_of(key)
  local native_terms = library.terms(terms)
  local handle = self:_new_value(value)
  local status = with_cache(self, function(cache)
    local status = C.kvl_cache_put(cache, key, #key, handle, native_terms)
    C.kvl_value_release(handle)
    return status
  end)
  if self.polls == 0 or not is_polling(self) then
    self:poll()
  end
  return status == K.OK
end

-- Gives an entry a new TTL. Returns whether there was an entry.
function Tasks:touch(key, ttl_ms)
  key_of(key)
  local ttl = library.whole("ttl_ms", ttl_ms, K.TTL_DEFAULT)
  return with_cache(self, function(cache) return C.kvl_cache_touch(cache, key, #key, ttl) end) == K.OK
end

-- Expires an entry now: the next fetch of the key loads it. Until then the entry is kept as a fallback if stale.ttl_ms is set. Returns
-- whether there was an entry. From a second tier the entry is removed.
function Tasks:expire(key)
  key_of(key)
  return with_cache(self, function(cache) return C.kvl_cache_expire(cache, key, #key) end) == K.OK
end

-- Reloads keys in the background, while poll() is called; the current values are served until then, and stay if the reload fails.
function Tasks:refresh(keys, options)
  local tasks = self:_check_open()
  local list, n = slices(keys)
  with_options(options, function(opts) check(C.kvl_tasks_refresh(tasks, list, n, opts)) end)
end

-- Tells the cache that another process has changed these keys: their values leave this process, and running loads of them do not store their answers.
function Tasks:invalidate(keys)
  local tasks = self:_check_open()
  local list, n = slices(keys)
  check(C.kvl_tasks_invalidate(tasks, list, n, 0))
end

-- Tells the cache that another process may have changed any key: everything leaves this process.
function Tasks:invalidate_all()
  check(C.kvl_tasks_invalidate(self:_check_open(), nil, 0, K.INVALIDATE_F_ALL))
end

local BREAKER = { [K.BREAKER_CLOSED] = "closed", [K.BREAKER_OPEN] = "open", [K.BREAKER_HALF_OPEN] = "half_open" }
local FORCE = { closed = K.BREAKER_FORCE_CLOSED, open = K.BREAKER_FORCE_OPEN }

-- The state of the circuit breaker (breaker.failure_ratio, breaker.consecutive): "closed", "open" or "half_open".
function Tasks:breaker()
  return BREAKER[C.kvl_tasks_breaker_state(self:_check_open())]
end

-- Forces the circuit breaker "closed" or "open", whatever the provider does; nil returns it to automatic operation.
function Tasks:force_breaker(state)
  local force = state == nil and K.BREAKER_FORCE_NONE or FORCE[state]
  if not force then
    error('kvlight: force_breaker() takes "closed", "open", or nil for automatic operation', 2)
  end
  check(C.kvl_tasks_breaker_force(self:_check_open(), force))
end

-- Changes the entries with a tag by a call of the library, and returns their number.
local function change_tagged(self, change, tag)
  local count = ffi.new "size_t[1]"
  library.check_tag(tag)
  with_cache(self, function(cache) return change(cache, tag, #tag, count) end)
  return tonumber(count[0])
end

-- Removes all entries with a tag, and returns their number. A running load does not store its answer if that has the tag.
function Tasks:remove_tag(tag)
  return change_tagged(self, C.kvl_cache_remove_tag, tag)
end

-- Expires all entries with a tag, as expire() does for a key, and returns their number.
function Tasks:expire_tag(tag)
  return change_tagged(self, C.kvl_cache_expire_tag, tag)
end

-- Expires all entries, as expire() does for a key. Running loads do not store their answers. A second tier is cleared, for all processes.
function Tasks:expire_all()
  with_cache(self, function(cache) return C.kvl_cache_expire_all(cache) end)
end

-- Removes an entry. Returns whether there was one.
function Tasks:remove(key)
  key_of(key)
  return with_cache(self, function(cache) return C.kvl_cache_remove(cache, key, #key) end) == K.OK
end

-- Removes all entries.
function Tasks:clear()
  with_cache(self, function(cache) return C.kvl_cache_clear(cache) end)
end

-- Returns the statistics as numbers, by the names of docs/STATISTICS.md.
function Tasks:stats()
  local stats = ffi.new "kvl_stats_t"
  check(C.kvl_tasks_stats(self:_check_open(), stats, ffi.sizeof(stats)))
  local counted = {}
  for _, name in ipairs(statistics) do
    counted[name] = tonumber(stats[name])
  end
  return counted
end

local function transfer(self, call, path)
  library.text("a path", path)
  local done, error_out, cache = ffi.new "kvl_transfer_t", out_error(), ffi.new "kvl_cache_t *[1]"
  check(C.kvl_tasks_cache(self:_check_open(), cache))
  local status = call(cache[0], path, nil, nil, done, TRANSFER_SIZE, error_out)
  C.kvl_cache_release(cache[0])
  if status < 0 then
    local failure = error_of(status, ffi.string(C.kvl_error_message(error_out[0])))
    C.kvl_error_release(error_out[0])
    error(failure, 0)
  end
  return tonumber(done.entries)
end

-- Iterates over the entries: `for key, value in cache:entries() do`, with nil for a key known to be absent. A key that stays in the cache
-- throughout appears exactly once, whatever the loop changes. Nothing is loaded, or counted as used.
function Tasks:entries()
  local out = ffi.new "kvl_iterator_t *[1]"
  with_cache(self, function(cache) return C.kvl_iterator_new(cache, out) end)
  local iterator, entry = ffi.gc(out[0], C.kvl_iterator_free), ffi.new "kvl_result_t"
  return function()
    if iterator == nil then
      return nil
    end
    if check(C.kvl_iterator_next(iterator, entry, RESULT_SIZE)) == K.EMPTY then
      C.kvl_iterator_free(ffi.gc(iterator, nil))
      iterator = nil
      return nil
    end
    local result = from_result(self, entry)
    return result.key, result.value
  end
end

-- Writes the entries to a file, with their remaining TTLs, and returns their number. An existing file is replaced once the new one is complete.
-- Values that are not strings are left out: to save a cache, store strings in it.
function Tasks:save(path)
  return transfer(self, C.kvl_cache_save, path)
end

-- Stores the entries of a saved file, except those whose key has an entry already, and returns the number stored.
function Tasks:load(path)
  return transfer(self, C.kvl_cache_load, path)
end

-- ---- Events --------------------------------------------------------------------------------------------------------

-- Calls a function of the program, and reports its error.
local function call_back(self, call, argument)
  local raised, trace
  local function record(value)
    raised, trace = value, debug.traceback(tostring(value), 2)
  end
  if xpcall(call, function(value) return pcall(record, value) end, argument) then
    return
  end
  trace = trace or type(raised)
  if not self.on_error then
    print_error(trace)
  elseif not pcall(self.on_error, raised) then
    print_error(trace .. "\n(and `on_error` raised an error)")
  end
end

local function settle(self, id, is_last, outcome)
  local fetch = self.fetches[id]
  if is_last then
    self.fetches[id] = nil
  end
  fetch.outcome, fetch.is_done, fetch.keys = outcome, true, nil
  if self.wake then
    call_back(self, self.wake, fetch)
  end
  if fetch.on_result then
    call_back(self, fetch.on_result, outcome)
  end
end

local function start_request(self, handle)
  local request = Request.new(self, handle)
  local function report(reason)
    call_back(self, function() error(reason, 0) end)
  end
  local function provide()
    request:provide(self.provider, report)
  end
  if self.spawn then
    local ok, reason = pcall(self.spawn, provide)
    if not ok then
      pcall(request.finish_error, request, reason)
    end
  elseif can_yield() then
    provide()
  else
    -- provide() raises no error.
    table.insert(self.providing, request)
    provide()
    table.remove(self.providing)
  end
end

-- Reads the memory that an event points to before it calls code of the program: that code may poll, which overwrites the event.
local function handle_event(self, event)
  local kind = event.kind
  if kind == K.EVENT_RESULT then
    settle(self, id_of(event.user_data), event.flags % 2 == K.F_LAST, from_result(self, event.result))
  elseif kind == K.EVENT_RESULTS then
    settle(self, id_of(event.user_data), true, from_results(self, event.results))
  elseif kind == K.EVENT_REQUEST then
    start_request(self, event.request)
  elseif kind == K.EVENT_L2 then
    second_tier.serve(self, event.l2_request, function(reason) call_back(self, error, reason) end)
  elseif kind == K.EVENT_DROP then
    local id = id_of(event.user_data)
    local object = self.objects[id]
    self.objects[id], self.errors[id] = nil, nil
    if object ~= nil and self.dropped then
      call_back(self, self.dropped, object)
    end
  elseif kind == K.EVENT_CLOSED then
    self.is_closed = true
  end
end

-- Handles the events in the queue, and returns their number. Waits up to `timeout_ms` for the first event, or without a limit if that is K.FOREVER; by
-- default it does not wait.
function Tasks:poll(timeout_ms)
  local count = 0
  local wait_ms = timeout_ms and library.timeout(timeout_ms, 3) or 0
  while self.handles.queue ~= nil do
    local event = self.event
    if check(C.kvl_queue_next(self.handles.queue, wait_ms, event, EVENT_SIZE)) == K.EMPTY then
      break
    end
    count, wait_ms = count + 1, 0
    local here = current()
    local was_polling = self.polling[here]
    self.polls, self.polling[here] = self.polls + 1, true
    local ok, reason = pcall(handle_event, self, event)
    self.polls, self.polling[here] = self.polls - 1, was_polling
    if not ok then
      error(reason, 0)
    end
  end
  return count
end

-- Raises an error if a fetch waits for a key that only a provider on this stack can answer, which waits for the fetch (rule F21).
function Tasks:_check_can_end(fetch)
  local wanted = {}
  for _, key in ipairs(type(fetch.keys) == "table" and fetch.keys or { fetch.keys }) do
    wanted[key] = true
  end
  for _, request in ipairs(self.providing) do
    local key = request:_open_among(wanted)
    if key then
      fetch:cancel()
      error(error_of(K.ERR_REENTRANT, ("the provider waits for the key %q, which it is to answer itself"):format(key)), 0)
    end
  end
end

-- One step of waiting for a fetch: through the program's `wait`, by yielding, or by polling.
function Tasks:_wait(fetch)
  if self.wait then
    self.wait(fetch)
  elseif not can_yield() then
    if self:poll(100) == 0 then
      -- A request that the program has lost ends when it is collected, and nothing else may allocate meanwhile.
      collectgarbage("step", 1000)
    end
  elseif self:poll() == 0 then
    coroutine.yield()
  end
end

-- Polls until the second tier has everything that was put and loaded before, for at most `timeout_ms`, or longer if a function of the
-- second tier is running then, which is not interrupted. Returns whether it has everything.
function Tasks:sync_second_tier(timeout_ms)
  if type(timeout_ms) ~= "number" or timeout_ms ~= timeout_ms then
    error("kvlight: sync_second_tier() takes a number of milliseconds, not " .. (type(timeout_ms) == "number" and "NaN" or "a " .. type(timeout_ms)), 2)
  end
  local stop = library.now_ms() + timeout_ms
  self:poll() -- serves requests that are in the queue already: these are not counted as pending
  while self:stats().l2_pending > 0 do
    if library.now_ms() >= stop then
      return false
    end
    self:poll(10)
  end
  return true
end

-- The state of the connection to the server of `l2_url`, as JSON: whether it is connected, and if not, what is wrong and how to fix it.
-- It has the members of kvl_redis_state.
function Tasks:l2_state()
  if not redis.is_server(self.second_tier) then
    error("kvlight: these tasks have no `l2_url`", 0)
  end
  return self.second_tier:state()
end

-- A descriptor that is readable while poll() has work to do.
function Tasks:fd()
  self:_check_open()
  local out = ffi.new "int32_t[1]"
  check(C.kvl_queue_fd(self.handles.queue, out))
  return out[0]
end

-- Closes the cache: fetches in progress fail with KVL_ERR_CLOSED during this call, and `dropped` is called with every object. May be called twice.
function Tasks:close()
  if self.handles.tasks ~= nil then
    check(C.kvl_tasks_close(self.handles.tasks, K.CLOSE_CANCEL, 0, nil, nil, nil))
    while not self.is_closed do
      self:poll(100)
    end
  end
  -- A function that poll() called may have closed the cache too.
  if self.handles.redis ~= nil then
    self.second_tier.handle = nil
    end_server(self.handles)
  end
  if self.handles.tasks ~= nil then
    check(C.kvl_tasks_free(self.handles.tasks))
    self.handles.tasks = nil
  end
  self:poll()
  if self.handles.queue ~= nil then
    check(C.kvl_queue_free(self.handles.queue))
    self.handles.queue = nil
  end
end

return M
