-- Requests: the second argument of a provider, through which it can answer key by key, at any time.

local ffi = require "ffi"
local library = require "kvlight.library"

local C, K, check = library.C, library.K, library.check

local Request = {}
Request.__index = Request

-- Retains `handle`. If the request is garbage collected before it is finished, its open keys fail with KVL_ERR_UNANSWERED. The provider may change
-- `keys`; answers go by `asked`.
function Request.new(tasks, handle)
  local keys, asked = {}, {}
  local slices = C.kvl_request_keys(handle)
  for i = 1, tonumber(C.kvl_request_len(handle)) do
    asked[i] = ffi.string(slices[i - 1].data, slices[i - 1].len)
    keys[i] = asked[i]
  end
  return setmetatable({
    tasks = tasks,
    handle = ffi.gc(C.kvl_request_retain(handle), C.kvl_request_release),
    keys = keys,
    asked = asked,
    answered = {}, -- which keys have an answer, by position
    open = #asked, -- how many have none
  }, Request)
end

local function position(self, i)
  if not self.asked[i] then
    error(("kvlight: the request has keys 1 to %d, and no key %s"):format(#self.asked, tostring(i)), 3)
  end
  return i - 1
end

-- Whether an answer with this status was in time. The first answer of a key counts, and further ones change nothing (rule F15).
local function is_in_time(self, i, status)
  if status == K.ERR_ALREADY_ANSWERED then
    return false
  end
  check(status)
  self.answered[i], self.open = true, self.open - 1
  return status == K.OK
end

-- Records that the request is finished. The call that was to finish it may have come too late, which changes nothing.
local function ended(self, status)
  if status ~= K.ERR_ALREADY_ANSWERED then
    check(status)
  end
  self.open = 0
end

-- A key of the set `wanted` that the request has still to answer; nil if there is none.
function Request:_open_among(wanted)
  for i, key in ipairs(self.open > 0 and self.asked or {}) do
    if wanted[key] and not self.answered[i] then
      return key
    end
  end
end

-- Answers the i-th key; nil means that there is no such record. `terms` may have ttl_ms, priority, cost, stale_ttl_ms, version, tags.
-- Returns whether the answer was the first one, and in time.
function Request:resolve(i, value, terms)
  local at = position(self, i)
  local native_terms = library.terms(terms)
  local handle = self.tasks:_new_value(value)
  local status = C.kvl_request_resolve(self.handle, at, handle, native_terms)
  C.kvl_value_release(handle)
  return is_in_time(self, i, status)
end

-- Returns the stored entry of the i-th key, expired or not: a table with value (nil if the key is known to be absent), age_ms and version ("" if there
-- was none); or nil if there is no entry.
function Request:stale(i)
  local at = position(self, i)
  local value, age, version = ffi.new "kvl_value_t *[1]", ffi.new "int64_t[1]", ffi.new "kvl_slice_t[1]"
  local status = check(C.kvl_request_stale(self.handle, at, value, age, version))
  if status == K.MISS then
    return nil
  end
  local entry = { age_ms = tonumber(age[0]), version = ffi.string(version[0].data, version[0].len) }
  if status == K.VALUE then
    entry.value = self.tasks:_from_value(value[0])
    C.kvl_value_release(value[0])
  end
  return entry
end

-- Answers the i-th key with the value that stale() returns: the record has not changed. The value gets a new TTL, and keeps its version and tags
-- unless the terms state others. Returns whether the answer was the first one, and in time; raises an error with the status K.MISS if there is no entry.
function Request:not_modified(i, terms)
  local at = position(self, i)
  local status = C.kvl_request_not_modified(self.handle, at, library.terms(terms))
  if status == K.MISS then
    error(library.error_of(status, ("not_modified() needs an entry, and the store has none for the key %q"):format(self.asked[i])), 0)
  end
  return is_in_time(self, i, status)
end

-- Fails the i-th key with a kvlight.failure() or any other value, which every waiting caller gets. Returns whether the answer was the first one, and
-- in time.
function Request:fail(i, reason)
  local at = position(self, i)
  local handle = self.tasks:_new_error(reason)
  local status = C.kvl_request_fail(self.handle, at, handle)
  C.kvl_error_release(handle)
  return is_in_time(self, i, status)
end

-- Finishes the request: keys without an answer are null.
function Request:finish()
  ended(self, C.kvl_request_finish_nulls(self.handle))
end

-- Finishes the request: keys without an answer fail with the reason.
function Request:finish_error(reason)
  local handle = self.tasks:_new_error(reason)
  local status = C.kvl_request_finish_error(self.handle, handle)
  C.kvl_error_release(handle)
  ended(self, status)
end

-- Whether no caller waits for the request any longer.
function Request:is_cancelled()
  return C.kvl_request_is_cancelled(self.handle) ~= K.CANCEL_NO
end

-- The number of the i-th key's attempt, from 1.
function Request:attempt(i)
  return C.kvl_request_attempt(self.handle, position(self, i))
end

-- Answers all keys from { key = value }: a missing key is null, and a kvlight.failure() in place of a value fails that key.
function Request:answer(rows)
  if type(rows) ~= "table" then
    error(("kvlight: the provider must return { key = value }, not a %s"):format(type(rows)), 0)
  end
  local is_complete = true
  for i, key in ipairs(self.asked) do
    local row = rows[key]
    if row == nil then
      is_complete = false
    elseif library.is_failure(row) then
      self:fail(i, row)
    else
      self:resolve(i, row)
    end
  end
  -- Without this check, a row under the number 7 would leave the key "7" absent.
  if not is_complete then
    for key in pairs(rows) do
      if type(key) ~= "string" then
        error(("kvlight: keys are strings, but the provider returned the %s %s as a key"):format(type(key), tostring(key)), 0)
      end
    end
  end
  self:finish()
end

-- Whether a function has a second parameter, through which a provider can answer later.
local function takes_request(provider)
  local info = debug.getinfo(provider, "u")
  return info.nparams == nil or info.nparams > 1 or info.isvararg
end

-- Calls the provider. A provider that returns nothing has answered through the request, or keeps it and answers later. An error that no caller
-- receives, since all keys have been answered or the cache was closed, goes to `report`.
function Request:provide(provider, report)
  local ok, rows = pcall(provider, self.keys, self)
  if ok and rows ~= nil then
    ok, rows = pcall(self.answer, self, rows)
  elseif ok and not takes_request(provider) then
    ok, rows = false, "kvlight: the provider returned nothing, and has no second parameter, through which it could answer later"
  end
  if not ok then
    local is_told = self.open > 0
    is_told = pcall(self.finish_error, self, rows) and is_told
    -- That the cache was closed meanwhile is no error of the provider.
    if not is_told and not library.is_closed(rows) then
      report(rows)
    end
  end
end

return Request
