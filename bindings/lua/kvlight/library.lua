-- Finds and loads the library, and converts errors, settings and terms.

local ffi = require "ffi"
local native = require "kvlight.native"

local M = { K = native.constants }
local K = M.K

-- FFI declarations last for the lifetime of the process, and a test runner that empties package.loaded loads this file more than once. The name of
-- a marker type records which version declared them.
local marker = "kvl_lua_declared_" .. native.version.number
if not pcall(ffi.typeof, marker) then
  local is_declared, reason = pcall(ffi.cdef, native.declarations)
  if not is_declared then
    error("kvlight: another version of this module is loaded in this process: " .. reason, 0)
  end
  ffi.cdef("typedef struct { int unused; } " .. marker .. ";")
  ffi.cdef 'int kvl_lua_clock(int clock, long time[2]) __asm__("clock_gettime");'
end

local function load_library()
  local failures = {}
  local function try(name)
    local found, library = pcall(ffi.load, name)
    failures[#failures + 1] = found or ("%s (%s)"):format(name, library)
    return found and library or nil
  end
  local path = os.getenv("KVL_LIBRARY") or ""
  local library
  if path ~= "" then
    library = try(path)
  else
    local here = debug.getinfo(1, "S").source:match("^@(.*/)") or "./"
    library = try("libkvlight.so." .. native.version.text:match("^%d+%.%d+")) or try(here .. "../../../target/release/libkvlight.so")
  end
  if not library then
    error("kvlight: no library found; tried " .. table.concat(failures, ", ") .. "; set KVL_LIBRARY to the path of the library", 0)
  end
  if math.floor(library.kvl_version_number() / 1000) ~= math.floor(native.version.number / 1000) then
    error(("kvlight: this module is for version %s, but the library has version %s"):format(native.version.text, ffi.string(library.kvl_version_string())), 0)
  end
  return library
end

local C = load_library()
M.C = C

-- An error of the library: status (a number), name (such as "KVL_ERR_TIMEOUT"), message and cause. If attempts had failed before, say, a timeout, the
-- cause is the error of the last one. What the provider raises is not converted: every waiting caller gets the same value.
local Error = {}
Error.__index = Error
Error.__tostring = function(self)
  return self.name .. ": " .. self.message
end
M.Error = Error

function M.error_of(status, message)
  if not message or message == "" then
    message = ffi.string(C.kvl_status_message(status))
  end
  return setmetatable({ status = status, name = ffi.string(C.kvl_status_name(status)), message = message }, Error)
end

-- Returns a string for a function that takes C strings, in which a NUL would end the text.
function M.text(what, value)
  if type(value) ~= "string" then
    error(("kvlight: %s must be a string, not a %s"):format(what, type(value)), 0)
  elseif value:find("\0", 1, true) then
    error(("kvlight: %s must not contain the character NUL"):format(what), 0)
  end
  return value
end

-- Returns a whole number; nil stands for `default`. `level` is that of error().
function M.whole(what, value, default, level)
  if value == nil then
    return default
  elseif type(value) ~= "number" or value % 1 ~= 0 or math.abs(value) >= 2 ^ 53 then
    error(("kvlight: %s must be a whole number, not %s"):format(what, type(value) == "number" and tostring(value) or "a " .. type(value)), level or 0)
  end
  return value
end

-- Returns a timeout in whole milliseconds, rounded up so that a short one does not become 0. K.FOREVER is none, and other negative numbers, which would be
-- cut to it, are refused. `level` is that of error().
function M.timeout(value, level)
  if value == K.FOREVER then
    return value
  elseif type(value) ~= "number" or not (value >= 0 and value < 2 ^ 53) then
    local shown = type(value) == "number" and tostring(value) or "a " .. type(value)
    error(("kvlight: a timeout must be a number of milliseconds, or K.FOREVER, not %s"):format(shown), level or 0)
  end
  return math.ceil(value)
end

local CLOCK_MONOTONIC = ffi.os == "OSX" and 6 or 1
local seconds_and_ns = ffi.new "long[2]"

-- Milliseconds since some time in the past. Lua's own clocks count whole seconds, or the time that the process computes.
function M.now_ms()
  ffi.C.kvl_lua_clock(CLOCK_MONOTONIC, seconds_and_ns)
  return tonumber(seconds_and_ns[0]) * 1000 + tonumber(seconds_and_ns[1]) / 1e6
end

-- Whether a value is the error that the cache is closed.
function M.is_closed(value)
  return getmetatable(value) == Error and value.status == K.ERR_CLOSED
end

-- Returns a status, or raises the error that it stands for.
function M.check(status, message)
  if status < 0 then
    error(M.error_of(status, message), 0)
  end
  return status
end

-- Creates a failure, which a provider returns in place of a value to fail that key alone, or raises to fail all keys. `terms` is a table with
-- `permanent` (the key is not retried), `no_stale` (an older value is removed from the cache and not served as a fallback) and `retry_after_ms`
-- (a retry waits at least that long); or true, which stands for { permanent = true }. `message` is a string, and `code` a whole number of the program's.
local FAILURE_TERMS = { permanent = true, no_stale = true, retry_after_ms = true }
local Failure = { __tostring = function(self) return self.message end }
function M.failure(message, code, terms)
  if type(terms) ~= "table" then
    terms = { permanent = terms }
  end
  if type(message) ~= "string" then
    error("kvlight: the message of a failure must be a string, not a " .. type(message), 2)
  end
  M.whole("the code of a failure", code, 0, 3)
  for name in pairs(terms) do
    if not FAILURE_TERMS[name] then
      error(("kvlight: a failure has no term %q, only permanent, no_stale and retry_after_ms"):format(tostring(name)), 2)
    end
  end
  local after = terms.retry_after_ms
  if after ~= nil and not (type(after) == "number" and after >= 0 and after < 2 ^ 53) then
    error("kvlight: retry_after_ms must be a number of milliseconds", 2)
  end
  return setmetatable({
    message = message,
    code = code or 0,
    permanent = terms.permanent,
    no_stale = terms.no_stale,
    retry_after_ms = after and math.ceil(after), -- rounded up, so that a short pause does not become 0
  }, Failure)
end

function M.is_failure(value)
  return getmetatable(value) == Failure
end

-- Sets settings of a kvl_config_t or a kvl_options_t, except those in `skipped`; `prefix` is "kvl_config" or "kvl_options".
function M.apply(prefix, handle, settings, skipped)
  if type(settings) ~= "table" then
    error("kvlight: settings must be a table, not a " .. type(settings), 0)
  end
  for key, value in pairs(settings) do
    local kind = type(value)
    M.text("the name of a setting", key)
    if skipped and skipped[key] then
      -- A setting of this module, not of the library.
    elseif kind == "boolean" then
      C[prefix .. "_set"](handle, key, tostring(value))
    elseif kind == "number" then
      local is_whole = value % 1 == 0 and math.abs(value) < 2 ^ 53
      C[prefix .. (is_whole and "_set_int" or "_set_real")](handle, key, value)
    elseif kind == "string" then
      C[prefix .. "_set"](handle, key, M.text(("the setting %q"):format(key), value))
    else
      error(("kvlight: the setting %q takes a string, a number or a boolean, not a %s"):format(key, kind), 0)
    end
  end
  local problem = C[prefix .. "_problem"](handle)
  if problem ~= nil then
    error(M.error_of(K.ERR_BAD_VALUE, ffi.string(problem)), 0)
  end
end

local TERMS = { ttl_ms = true, priority = true, cost = true, stale_ttl_ms = true, version = true, tags = true, keep_ttl = true, only_if = true }
local CONDITIONS = { absent = K.PUT_F_IF_ABSENT, present = K.PUT_F_IF_PRESENT }

local no_tags = {}
local tag_slices = ffi.new("kvl_slice_t[?]", K.TAGS_MAX)
local last_terms -- the terms with a version or tags that were converted last: keeps their strings, which the kvl_terms_t points to

local function check_label(label)
  return type(label) == "string" and label or error("kvlight: versions and tags are strings, not a " .. type(label), 0)
end

-- Sets the version and the tags of a kvl_terms_t.
local function write_labels(native, terms)
  local version, tags = check_label(terms.version or ""), terms.tags or no_tags
  if type(tags) ~= "table" then
    error("kvlight: tags must be a list of strings, not a " .. type(tags), 0)
  end
  if #tags > K.TAGS_MAX then
    error(M.error_of(K.ERR_BAD_VALUE, ("an entry has at most %d tags"):format(K.TAGS_MAX)), 0)
  end
  native.version, native.version_len = version, #version
  for i, tag in ipairs(tags) do
    tag_slices[i - 1].data, tag_slices[i - 1].len = check_label(tag), #tag
  end
  native.tags, native.tags_len = tag_slices, #tags
  last_terms = terms
end

-- Returns a tag; raises an error if it is no string.
function M.check_tag(tag)
  return type(tag) == "string" and tag or error("kvlight: tags are strings, not a " .. type(tag), 3)
end

-- Returns terms as a kvl_terms_t, which is valid until the next call of this function. Terms are nil, or a table with ttl_ms, priority, cost,
-- stale_ttl_ms (how long the value is kept as a fallback after it expires; -1 for not at all), version (of the record, for request:stale()),
-- tags (a list of names by which remove_tag() and expire_tag() find the entry), keep_ttl (an existing entry keeps its time of expiry) and
-- only_if ("absent" or "present").
function M.terms(terms)
  if terms == nil then
    return nil
  elseif type(terms) ~= "table" then
    error("kvlight: terms must be a table, not a " .. type(terms), 0)
  end
  for name in pairs(terms) do
    if not TERMS[name] then
      error(("kvlight: there is no term %q"):format(tostring(name)), 0)
    end
  end
  if terms.priority ~= nil and type(terms.priority) ~= "number" then
    error("kvlight: priority must be a number, not a " .. type(terms.priority), 0)
  elseif terms.keep_ttl ~= nil and type(terms.keep_ttl) ~= "boolean" then
    error("kvlight: keep_ttl must be true or false, not a " .. type(terms.keep_ttl), 0)
  end
  local flags = terms.keep_ttl and K.PUT_F_KEEP_TTL or 0
  if terms.only_if then
    flags = flags + (CONDITIONS[terms.only_if] or error("kvlight: only_if must be \"absent\" or \"present\"", 0))
  end
  local native_terms = ffi.new("kvl_terms_t", {
    struct_size = ffi.sizeof("kvl_terms_t"),
    ttl_ms = M.whole("ttl_ms", terms.ttl_ms, K.TTL_DEFAULT),
    priority = terms.priority or K.PRIORITY_DEFAULT,
    cost = M.whole("cost", terms.cost, K.COST_DEFAULT),
    flags = flags,
    stale_ttl_ms = M.whole("stale_ttl_ms", terms.stale_ttl_ms, 0),
  })
  if terms.version or terms.tags then
    write_labels(native_terms, terms)
  end
  return native_terms
end

-- Returns the ID that a pointer of the library stands for.
function M.id_of(pointer)
  return tonumber(ffi.cast("uintptr_t", pointer))
end

return M
