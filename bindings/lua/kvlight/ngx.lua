-- kvlight for OpenResty: a light thread sleeps while it waits, so its worker serves other requests meanwhile.
--
--   -- Once for each worker: in init_worker_by_lua, or on first use in a module.
--   local users = require("kvlight.ngx").tasks { provider = function(keys) … end }
--   local user = users:fetch("7")
--
-- A timer of nginx handles the events. Providers run in light threads of that timer and may use sockets. A client that disconnects does not
-- end a provider.

local semaphore = require "ngx.semaphore"
local tasks = require "kvlight.tasks"
local library = require "kvlight.library"

local M = { K = library.K, Error = library.Error, failure = library.failure }

-- How long the timer sleeps unless it is woken, in seconds. While fetches are in progress that is short, since events such as the end of a pause between
-- attempts do not wake it.
local BUSY_SLEEP, IDLE_SLEEP = 0.002, 0.05
-- nginx frees a timer's memory only when the timer ends, so another timer takes over after this many turns of its loop.
local TURNS = 10000

function M.tasks(settings)
  local phase = ngx.get_phase()
  if phase == "init" then
    error("kvlight: create the cache in each worker, since workers are forks: in init_worker_by_lua, or on first use", 0)
  end
  local pump = semaphore.new()
  local sleeping = setmetatable({}, { __mode = "k" }) -- the semaphores of waiting light threads, by fetch
  local ready = {} -- calls of the provider, to be started by the timer

  local task_settings = {}
  for name, value in pairs(settings) do
    task_settings[name] = value
  end
  function task_settings.wait(fetch)
    sleeping[fetch] = sleeping[fetch] or semaphore.new()
    pump:post()
    sleeping[fetch]:wait(60) -- seconds; Fetch:wait() calls again if the fetch is not done by then
  end
  function task_settings.wake(fetch)
    if sleeping[fetch] then
      sleeping[fetch]:post()
    end
  end
  -- The timer starts every provider, whichever thread polls: a light thread ends with the HTTP request that started it.
  function task_settings.spawn(provide)
    ready[#ready + 1] = provide
    pump:post()
  end
  local result = tasks.new(task_settings)

  local function run_pump(is_premature)
    for _ = 1, TURNS do
      if is_premature or ngx.worker.exiting() then
        result:close()
      end
      if result.is_closed then
        return
      end
      result:poll()
      local providers = ready
      ready = {}
      for _, provide in ipairs(providers) do
        ngx.thread.spawn(function()
          provide()
          pump:post()
        end)
      end
      pump:wait(next(result.fetches) and BUSY_SLEEP or IDLE_SLEEP)
    end
    assert(ngx.timer.at(0, run_pump))
  end
  assert(ngx.timer.at(0, run_pump))
  return result
end

return M
