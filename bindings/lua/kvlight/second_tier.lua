-- The second tier: a store behind the cache that several processes may share. It is a table with the functions (called with ":")
--   read(keys)       looks keys up. Returns { key = found }; a key left out was not found. `found` is the data of an entry, or a table:
--                      { data, ttl_left_ms, token }   an entry; ttl_left_ms -1: the second tier does not expire it, nil: not known; the token identifies
--                                                     this version of the entry
--                      { token }                      no entry; the token is the lease that was granted
--                      { is_leased = true }           no entry; another process has the lease
--                      { err }                        the second tier has failed for this key
--   fill(entries)    stores what was loaded; entries have key, data, ttl_ms (-1: they do not expire) and token. A conditional second tier stores only
--                    the entries whose token still belongs to their key. Returns a list of booleans, whether each was stored; nil: all were.
--                    An entry that is kept for longer than its ttl_ms never expires, since each hit begins its TTL anew.
--   write(entries)   stores what was put.
--   remove(keys)     removes keys; some of them may not exist.
--   clear()          removes all keys.
-- and the fields is_conditional and grants_leases. If both are true, no older load ever replaces a newer write, in whichever process.
--
-- poll() calls these functions, also inside a fetch() that waits. A function that raises an error or returns something unexpected has failed: after a
-- read the provider is called, and a write, a removal or a clear is sent again. No caller of the cache sees the error; it is passed to `on_error`.

local bit = require "bit"
local ffi = require "ffi"
local library = require "kvlight.library"
local redis = require "kvlight.redis"

local C, K, check = library.C, library.K, library.check

local METHODS = { [K.L2_READ] = "read", [K.L2_FILL] = "fill", [K.L2_WRITE] = "write", [K.L2_REMOVE] = "remove", [K.L2_CLEAR] = "clear" }

local M = {}

-- Checks a second tier, and returns its abilities for the library.
function M.abilities(tier)
  if redis.is_server(tier) then
    return bit.bor(K.L2_F_OBJECTS, K.L2_F_CONDITIONAL, K.L2_F_LEASES)
  end
  for _, name in pairs(METHODS) do
    if type(tier) ~= "table" or type(tier[name]) ~= "function" then
      error(("kvlight: `second_tier` is a table with a function `%s`"):format(name), 0)
    end
  end
  return bit.bor(K.L2_F_OBJECTS, tier.is_conditional and K.L2_F_CONDITIONAL or 0, tier.grants_leases and K.L2_F_LEASES or 0)
end

-- Checks the status of an answer. An answer that comes late or after the close is not the second tier's fault.
local function check_answer(status)
  if status ~= K.ERR_ALREADY_ANSWERED and status ~= K.ERR_CLOSED then
    check(status)
  end
  return status
end

local function check_text(name, value)
  if type(value) ~= "string" then
    error(("kvlight: the second tier returned a %s that is a %s, and not a string"):format(name, type(value)), 0)
  end
  return value
end

-- Calls `convert`, a function of the program or nil. Returns nil if there is none, or if it raises an error, which is reported.
local function try_convert(request, convert, value)
  if not convert then
    return nil
  end
  local ok, made = pcall(convert, value)
  if not ok then
    request.report(made)
    return nil
  end
  return made
end

local function hit(request, at, data, ttl_left_ms, token)
  local payload, size = ffi.new "const uint8_t *[1]", ffi.new "size_t[1]"
  local status = check_answer(C.kvl_l2_request_payload(request.handle, at, data, #data, payload, size))
  if status == K.OK then
    local value = try_convert(request, request.tasks.load_value, data:sub(#data - tonumber(size[0]) + 1))
    -- Strings are stored as bytes, not as objects.
    if value ~= nil and type(value) ~= "string" then
      local handle = request.tasks:_new_value(value)
      local answered = C.kvl_l2_request_hit_object(request.handle, at, data, #data, ttl_left_ms, token, #token, handle)
      C.kvl_value_release(handle)
      return check_answer(answered)
    end
  end
  local is_entry = status == K.VALUE or status == K.NULL
  return check_answer(C.kvl_l2_request_hit(request.handle, at, data, is_entry and #data or 0, ttl_left_ms, token, #token))
end

local function answer(request, at, found)
  if type(found) == "string" then
    return hit(request, at, found, K.L2_TTL_UNKNOWN, "")
  elseif found == nil then
    return check_answer(C.kvl_l2_request_miss(request.handle, at, "", 0))
  elseif type(found) ~= "table" then
    error(("kvlight: the second tier found a %s, and not a string or a table"):format(type(found)), 0)
  elseif found.err ~= nil then
    return request.report(found.err) -- a key without an answer has failed
  end
  local token = check_text("token", found.token or "")
  if found.data ~= nil then
    return hit(request, at, check_text("data", found.data), library.whole("ttl_left_ms", found.ttl_left_ms, K.L2_TTL_UNKNOWN), token)
  elseif found.is_leased then
    return check_answer(C.kvl_l2_request_leased(request.handle, at))
  end
  return check_answer(C.kvl_l2_request_miss(request.handle, at, token, #token))
end

-- If the value to be stored is an object, sets its bytes. Returns false if they cannot be made: the entry is then refused, and must be left out.
local function encode(request, at)
  local out = ffi.new "kvl_value_t *[1]"
  if check_answer(C.kvl_l2_request_value(request.handle, at, out)) ~= K.VALUE then
    return true
  end
  local value = request.tasks:_from_value(out[0])
  C.kvl_value_release(out[0])
  if type(value) == "string" then
    return true
  end
  local bytes = try_convert(request, request.tasks.dump_value, value)
  if type(bytes) ~= "string" then
    check_answer(C.kvl_l2_request_refused(request.handle, at))
    return false
  end
  check_answer(C.kvl_l2_request_set_payload(request.handle, at, bytes, #bytes))
  return true
end

local function entry_of(request, at)
  local data, size, ttl = ffi.new "const uint8_t *[1]", ffi.new "size_t[1]", ffi.new "int64_t[1]"
  local token, token_size = ffi.new "const uint8_t *[1]", ffi.new "size_t[1]"
  check(C.kvl_l2_request_entry(request.handle, at, data, size, ttl, token, token_size))
  return { key = request.keys[at + 1], data = ffi.string(data[0], size[0]), ttl_ms = tonumber(ttl[0]), token = ffi.string(token[0], token_size[0]) }
end

local function store(request, tier, is_fill)
  local places, entries = {}, {}
  for at = 0, #request.keys - 1 do
    if encode(request, at) then
      places[#places + 1], entries[#entries + 1] = at, entry_of(request, at)
    end
  end
  if #places == 0 then
    return
  elseif not is_fill then
    return tier:write(entries)
  end
  local stored = tier:fill(entries)
  if stored == nil then
    return
  elseif type(stored) ~= "table" then
    error("kvlight: fill() returns a list of booleans, or nothing", 0)
  end
  for nth, at in ipairs(places) do
    if not stored[nth] then
      check_answer(C.kvl_l2_request_refused(request.handle, at))
    end
  end
end

-- Lets a Redis or Valkey server serve the request. Returns whether that succeeded; a failure of the server is not reported.
local function serve_by_server(request, server, kind)
  local is_store = kind == K.L2_FILL or kind == K.L2_WRITE
  local encoded = 0
  for at = 0, is_store and #request.keys - 1 or -1 do
    encoded = encoded + (encode(request, at) and 1 or 0)
  end
  if is_store and encoded == 0 then
    return true
  end
  local found = server:serve(request.handle)
  for _, one in ipairs(found or {}) do
    hit(request, one.at, one.data, one.ttl_left_ms, one.token)
  end
  return found ~= nil
end

-- Copies a list for the second tier, which may change it.
local function copy_of(list)
  return { unpack(list) }
end

-- Serves the request. Returns whether that succeeded, or raises an error.
local function serve(request, tier, kind)
  if redis.is_server(tier) then
    return serve_by_server(request, tier, kind)
  elseif kind == K.L2_READ then
    local found = tier:read(copy_of(request.keys))
    if type(found) ~= "table" then
      error(("kvlight: read() returns a table, { key = found }, and not a %s"):format(type(found)), 0)
    end
    for i, key in ipairs(request.keys) do
      answer(request, i - 1, found[key])
    end
  elseif kind == K.L2_REMOVE then
    tier:remove(copy_of(request.keys))
  elseif kind == K.L2_CLEAR then
    tier:clear()
  else
    store(request, tier, kind == K.L2_FILL)
  end
  return true
end

-- Serves a request and releases it, whatever happens. `report` is called with errors of the second tier.
function M.serve(tasks, borrowed, report)
  local handle, kind, keys = C.kvl_l2_request_retain(borrowed), C.kvl_l2_request_kind(borrowed), {}
  local slices = C.kvl_l2_request_keys(handle)
  for i = 1, tonumber(C.kvl_l2_request_len(handle)) do
    keys[i] = ffi.string(slices[i - 1].data, slices[i - 1].len)
  end
  local request = { tasks = tasks, handle = handle, keys = keys, report = report }
  local ok, done = pcall(serve, request, tasks.second_tier, kind)
  if not ok then
    report(done)
  end
  -- Finishing a read fails its keys without an answer. A request of another kind fails as a whole if it is released unfinished.
  if ok and done or kind == K.L2_READ then
    C.kvl_l2_request_finish(handle)
  end
  C.kvl_l2_request_release(handle)
end

return M
