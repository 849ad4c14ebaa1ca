-- Helpers for scenarios, and their runner. Each scenario prints a line of TAP. The first scenarios, which every language has, are counted in a row for
-- tests/tiers/hosts/run.

local M = {}

-- Alternates a JIT-compiled loop with non-blocking polls until `is_done()` is true. A call from the library into Lua from a compiled trace would break
-- LuaJIT.
function M.busy_until(tasks, is_done)
  local sum = 0
  while not is_done() do
    for i = 1, 20000 do
      sum = (sum + i * i) % 1000003
    end
    tasks:poll()
  end
  return sum
end

function M.equal(got, wanted, what)
  if got ~= wanted then
    error(("%s: got %s, wanted %s"):format(what, tostring(got), tostring(wanted)), 2)
  end
end

local function count_lines(command)
  local pipe = io.popen(command)
  local count = select(2, pipe:read("*a"):gsub("\n", ""))
  pipe:close()
  return count
end

-- The numbers of threads and descriptors of the process.
function M.threads_and_descriptors()
  local file = assert(io.open("/proc/self/stat"))
  local pid = file:read("*a"):match("^%d+")
  file:close()
  return count_lines("ls /proc/" .. pid .. "/task"), count_lines("ls /proc/" .. pid .. "/fd")
end

local scenarios = {}
function M.scenario(name, run)
  scenarios[#scenarios + 1] = { name = name, run = run }
end

-- How many scenarios every language has; they come first.
local SHARED = 12

-- Runs the scenarios, and ends the process. If `prints_row`, also prints the row.
function M.run(prints_row)
  local shared_passed = 0
  local failed = 0
  print("1.." .. #scenarios)
  for i, each in ipairs(scenarios) do
    local ok, reason = xpcall(each.run, function(reason) return debug.traceback(tostring(reason), 2) end)
    print(("%s %d - %s"):format(ok and "ok" or "not ok", i, each.name))
    if not ok then
      print("# " .. tostring(reason):gsub("\n", "\n# "))
      failed = failed + 1
    elseif i <= SHARED then
      shared_passed = shared_passed + 1
    end
  end
  if prints_row then
    print(("ROW LuaJIT | %s | next | %d of %d"):format(jit.version:gsub("^LuaJIT ", ""), shared_passed, SHARED))
  end
  os.exit(failed == 0 and 0 or 1, true)
end

return M
