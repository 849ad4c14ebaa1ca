-- Helpers for scenarios, and their runner: each scenario prints a line of TAP; the first twelve are counted for the table.

local M = {}

-- Runs work that is compiled to a trace, with polls that do not wait in between, until `is_done`.
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

local scenarios = {}
function M.scenario(name, run)
  scenarios[#scenarios + 1] = { name = name, run = run }
end

-- Runs the scenarios. `row`: also prints a row for the table of the twelve scenarios.
function M.run(row)
  local passed = 0
  local failed = 0
  print("1.." .. #scenarios)
  for i, each in ipairs(scenarios) do
    local went_well, why = xpcall(each.run, function(why) return debug.traceback(tostring(why), 2) end)
    print(("%s %d - %s"):format(went_well and "ok" or "not ok", i, each.name))
    if not went_well then
      print("# " .. tostring(why):gsub("\n", "\n# "))
      failed = failed + 1
    elseif i <= 12 then
      passed = passed + 1
    end
  end
  if row then
    print(("ROW LuaJIT | %s | next | %d of 12"):format(jit.version:gsub("^LuaJIT ", ""), passed))
  end
  os.exit(failed == 0 and 0 or 1, true)
end

return M
