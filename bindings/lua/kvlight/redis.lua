-- The second tier of `l2_url`: a connection to a Redis or Valkey server. libkvlight_redis serves the requests.
--
-- That library is linked with libkvlight; the loader takes the copy that is already loaded, since it has the same name.

local ffi = require "ffi"
local library = require "kvlight.library"
local native = require "kvlight.native"

local C, check = library.C, library.check

-- FFI declarations last for the lifetime of the process.
if not pcall(ffi.typeof, "kvl_redis_found_t") then
  ffi.cdef [[
    typedef struct kvl_redis_t kvl_redis_t;
    typedef struct { size_t index; const uint8_t *data; size_t len; int64_t ttl_left_ms; const uint8_t *token; size_t token_len; } kvl_redis_found_t;
    int32_t kvl_redis_open(const char *url, const void *library, kvl_redis_t **out_redis, kvl_error_t **out_error);
    int32_t kvl_redis_serve(kvl_redis_t *redis, kvl_l2_request_t *request, kvl_redis_found_t **out_found, size_t *out_len);
    void kvl_redis_found_free(kvl_redis_found_t *found, size_t len);
    int32_t kvl_redis_attach(kvl_redis_t *redis, kvl_tasks_t *tasks);
    int32_t kvl_redis_state(const kvl_redis_t *redis, kvl_value_t **out_text);
    void kvl_redis_stop(kvl_redis_t *redis);
    void kvl_redis_free(kvl_redis_t *redis);
  ]]
end

-- Where libkvlight_redis may be: the path in KVL_REDIS_LIBRARY; if that is not set, the system's library path, or the checkout that contains this file.
local function paths()
  local override = os.getenv "KVL_REDIS_LIBRARY"
  if override and override ~= "" then
    return { override }
  end
  local here = debug.getinfo(1, "S").source:match("^@(.*/)") or "./"
  return { "libkvlight_redis.so." .. native.version.text:match("^%d+%.%d+"), here .. "../../../target/redis/release/libkvlight_redis.so" }
end

local loaded

local function load_library()
  local failures = {}
  for _, path in ipairs(paths()) do
    local found, redis = pcall(ffi.load, path)
    if found then
      return redis
    end
    failures[#failures + 1] = ("%s (%s)"):format(path, redis)
  end
  error("kvlight: l2_url needs libkvlight_redis, which cannot be loaded: tried " .. table.concat(failures, ", ") .. ". Build it by `make redis` in " ..
    "kvlight's sources, then install it by `make install`, or set KVL_REDIS_LIBRARY to its path.", 0)
end

local Redis = {}
Redis.__index = Redis

local M = {}

-- Begins to connect, in the background. Raises an error if libkvlight_redis cannot be loaded or the URL is wrong.
function M.open(url)
  library.text("`l2_url`", url)
  loaded = loaded or load_library()
  local out, out_error = ffi.new "kvl_redis_t *[1]", ffi.new "kvl_error_t *[1]"
  local status = loaded.kvl_redis_open(url, nil, out, out_error)
  if status < 0 then
    local message = out_error[0] ~= nil and ffi.string(C.kvl_error_message(out_error[0])) or nil
    C.kvl_error_release(out_error[0])
    error(library.error_of(status, message), 0)
  end
  return setmetatable({ handle = out[0] }, Redis)
end

-- Ends the connection of a handle and frees it; nil is allowed. Call this before the attached engine is freed.
function M.free(handle)
  if handle ~= nil then
    loaded.kvl_redis_free(handle)
  end
end

function M.is_server(tier)
  return getmetatable(tier) == Redis
end

-- From now on, until the connection ends, what other processes write is invalidated in the engine.
function Redis:attach(tasks)
  check(loaded.kvl_redis_attach(self.handle, tasks))
end

-- Serves a request, and waits for the server. Returns a list of the objects that were found, with at (the key's place, from 0), data, ttl_left_ms and
-- token; nil if that failed.
function Redis:serve(request)
  local out, count = ffi.new "kvl_redis_found_t *[1]", ffi.new "size_t[1]"
  if self.handle == nil or loaded.kvl_redis_serve(self.handle, request, out, count) < 0 then
    return nil
  end
  local all = {}
  for nth = 1, tonumber(count[0]) do
    local found = out[0][nth - 1]
    all[nth] = { at = tonumber(found.index), data = ffi.string(found.data, found.len), ttl_left_ms = tonumber(found.ttl_left_ms),
      token = ffi.string(found.token, found.token_len) }
  end
  loaded.kvl_redis_found_free(out[0], count[0])
  return all
end

-- The state of the connection: the members of kvl_redis_state, as JSON.
function Redis:state()
  if self.handle == nil then
    error(library.error_of(library.K.ERR_CLOSED), 0)
  end
  local out, size = ffi.new "kvl_value_t *[1]", ffi.new "size_t[1]"
  check(loaded.kvl_redis_state(self.handle, out))
  local text = ffi.string(C.kvl_value_data(out[0], size), size[0])
  C.kvl_value_release(out[0])
  return text
end

return M
