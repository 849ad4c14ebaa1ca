-- Finds the library, and converts errors, settings and terms between it and Lua.

local ffi = require "ffi"
local native = require "kvlight.native"

local M = { K = native.constants }
local K = M.K

-- FFI declarations last as long as the process, and a test runner that empties package.loaded loads this file more than once. The name
-- of a marker type records which version declared them.
local mark = "kvl_lua_declared_" .. native.version.number
if not pcall(ffi.typeof, mark) then
  local fresh, why = pcall(ffi.cdef, native.declarations)
  if not fresh then
    error("kvlight: another version of this module is loaded in this process: " .. why, 0)
  end
  ffi.cdef("typedef struct { int unused; } " .. mark .. ";")
end

local function load_library()
  local failures = {}
  local function try(name)
    local found, library = pcall(ffi.load, name)
    failures[#failures + 1] = found or ("%s (%s)"):format(name, library)
    return found and library or nil
  end
  local wanted = os.getenv("KVL_LIBRARY")
  local library
  if wanted then
    library = try(wanted)
  else
    local here = debug.getinfo(1, "S").source:match("^@(.*/)") or "./"
    library = try("libkvlight.so." .. native.version.text:match("^%d+%.%d+")) or try(here .. "../../../target/release/libkvlight.so")
  end
  if not library then
    error("kvlight: no library found; tried " .. table.concat(failures, ", ") .. "; KVL_LIBRARY names one", 0)
  end
  if math.floor(library.kvl_version_number() / 1000) ~= math.floor(native.version.number / 1000) then
    error(("kvlight: this module is for %s, and the library is %s"):format(native.version.text, ffi.string(library.kvl_version_string())), 0)
  end
  return library
end

local C = load_library()
M.C = C

-- An error of the library: status (a number), name ("KVL_ERR_TIMEOUT"), message, and cause: the error of the provider's last attempt before
-- the timeout or the end of the fetch; nil if no attempt had failed.
-- An error that the provider raises reaches every waiting caller as the same value.
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

-- Raises an error if a status is one; otherwise returns it.
function M.check(status, message)
  if status < 0 then
    error(M.error_of(status, message), 0)
  end
  return status
end

-- Creates a failure that a provider returns in place of a value to fail that key alone. `terms`: a table with `permanent` (the key is not
-- retried), `no_stale` (an older value is removed from the cache and not served as a fallback) and `retry_after_ms` (a retry waits at least
-- that long); or true, which means { permanent = true }.
local Failure = { __tostring = function(self) return self.message end }
function M.failure(message, code, terms)
  if type(terms) ~= "table" then
    terms = { permanent = terms }
  end
  local after = terms.retry_after_ms
  if after ~= nil and not (type(after) == "number" and after >= 0 and after < 2 ^ 53) then
    error("kvlight: retry_after_ms is a number of milliseconds", 2)
  end
  return setmetatable({
    message = message,
    code = code or 0,
    permanent = terms.permanent,
    no_stale = terms.no_stale,
    retry_after_ms = after,
  }, Failure)
end

function M.is_failure(value)
  return getmetatable(value) == Failure
end

-- Writes settings into a kvl_config_t or kvl_options_t; `prefix` is "kvl_config" or "kvl_options".
function M.state(prefix, handle, settings, skipped)
  for key, value in pairs(settings) do
    local kind = type(value)
    if skipped and skipped[key] then
      -- A setting of this module, not of the library.
    elseif kind == "boolean" then
      C[prefix .. "_set_int"](handle, key, value and 1 or 0)
    elseif kind == "number" then
      local is_whole = value % 1 == 0 and math.abs(value) < 2 ^ 53
      C[prefix .. (is_whole and "_set_int" or "_set_real")](handle, key, value)
    elseif kind == "string" then
      C[prefix .. "_set"](handle, key, value)
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
local labelled -- the terms whose strings the last converted ones point at: they must not be collected before the call

local function label_of(label)
  return type(label) == "string" and label or error("kvlight: versions and tags are strings, and this is a " .. type(label), 0)
end

-- Writes the version and the tags into terms of the library.
local function state_labels(into, stated)
  local version, tags = label_of(stated.version or ""), stated.tags or no_tags
  if type(tags) ~= "table" then
    error("kvlight: tags is a list of strings, not a " .. type(tags), 0)
  end
  if #tags > K.TAGS_MAX then
    error(M.error_of(K.ERR_BAD_VALUE, ("an entry has at most %d tags"):format(K.TAGS_MAX)), 0)
  end
  into.version, into.version_len = version, #version
  for i, tag in ipairs(tags) do
    tag_slices[i - 1].data, tag_slices[i - 1].len = label_of(tag), #tag
  end
  into.tags, into.tags_len = tag_slices, #tags
  labelled = stated
end

-- The tag, if it is one.
function M.tag(tag)
  return type(tag) == "string" and tag or error("kvlight: tags are strings, and this is a " .. type(tag), 3)
end

-- Converts terms for the library, for the call that follows: a table with ttl_ms, priority, cost, stale_ttl_ms (how long the value is kept as
-- a fallback after it expires; -1: not at all), version (of the record, for request:stale()), tags (a list of names by which remove_tag() and
-- expire_tag() find the entry), keep_ttl (an existing entry keeps its time of expiry) and only_if ("absent" or "present"); or nil.
function M.terms(stated)
  if not stated then
    return nil
  end
  for name in pairs(stated) do
    if not TERMS[name] then
      error(("kvlight: there is no term %q"):format(tostring(name)), 0)
    end
  end
  local flags = stated.keep_ttl and K.PUT_F_KEEP_TTL or 0
  if stated.only_if then
    flags = flags + (CONDITIONS[stated.only_if] or error("kvlight: only_if is \"absent\" or \"present\"", 0))
  end
  local terms = ffi.new("kvl_terms_t", {
    struct_size = ffi.sizeof("kvl_terms_t"),
    ttl_ms = stated.ttl_ms or K.TTL_DEFAULT,
    priority = stated.priority or K.PRIORITY_DEFAULT,
    cost = stated.cost or K.COST_DEFAULT,
    flags = flags,
    stale_ttl_ms = stated.stale_ttl_ms or 0,
  })
  if stated.version or stated.tags then
    state_labels(terms, stated)
  end
  return terms
end

-- The number that the library carries as a pointer.
function M.id_of(pointer)
  return tonumber(ffi.cast("uintptr_t", pointer))
end

return M
