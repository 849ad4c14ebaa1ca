-- A process with an engine of the LuaJIT package and an `l2_url`, driven by commands on its input, like worker.c: `lua.lua URL`.

local ffi = require "ffi"
local kvlight = require "kvlight"

ffi.cdef [[
  struct pollfd { int fd; short events, revents; };
  int poll(struct pollfd *fds, unsigned long n, int timeout);
]]

io.stdout:setvbuf "no"
local answer = "nobody"
local made, tasks = pcall(kvlight.tasks, {
  provider = function(keys)
    local rows = {}
    for _, key in ipairs(keys) do
      rows[key] = { from = answer }
    end
    return rows
  end,
  l2_url = arg[1],
  dump = function(value) return value.from end,
  load = function(bytes) return { from = bytes } end,
  ["cache.ttl_ms"] = 3600000,
  timeout_ms = 20000,
  ["l2.timeout_ms"] = 10000,
})
if not made then
  print("refused " .. tostring(tasks))
  return
end
print "ready"

local input = ffi.new("struct pollfd", { fd = 0, events = 1 })
while true do
  while ffi.C.poll(input, 1, 5) == 0 do
    tasks:poll() -- runs what waits for the program's thread, such as fills
  end
  local line = io.read "*l"
  if not line then
    break
  end
  local command, key, value = line:match "^(%S+) ?(%S*) ?(%S*)"
  if command == "fetch" then
    local result = tasks:results({ key })[1]
    print(("done %s 0 %s %s"):format(key, result.source, result.value and result.value.from or "-"))
  elseif command == "put" then
    tasks:put(key, { from = value })
    print "ok 0"
  elseif command == "auto" then
    answer = key
    print "ok 0"
  elseif command == "state" then
    print("state " .. tasks:l2_state())
  end
end
tasks:close()
