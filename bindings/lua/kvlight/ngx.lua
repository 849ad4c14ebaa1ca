-- kvlight for OpenResty: waits are light threads that sleep, so a worker serves other requests meanwhile.
--
--   local users = require("kvlight.ngx").tasks { provider = function(keys) … end }   -- once a worker: in init_worker_by_lua, or at
--   local user = users:fetch("7")                                                     -- first use in a module
--
-- A timer of nginx handles the events. Providers run in light threads of that timer, and may use sockets; a client that disconnects
-- does not end a provider.

local semaphore = require "ngx.semaphore"
local tasks = require "kvlight.tasks"
local library = require "kvlight.library"

local M = { K = library.K, Error = library.Error, failure = library.failure }

-- How long the timer sleeps, in seconds, unless it is woken. The first is for while fetches are in progress, so that events of the library,
-- such as the end of a pause between attempts, are handled soon.
local BUSY, IDLE = 0.002, 0.05
-- nginx frees a timer's memory only when it ends, so another timer takes over after this many turns.
local TURNS = 10000

function M.tasks(settings)
  local phase = ngx.get_phase()
  if phase == "init" then
    error("kvlight: create the cache in a worker, since workers are forks: in init_worker_by_lua, or at first use", 0)
  end
  local pump = semaphore.new()
  local sleeping = setmetatable({}, { __mode = "k" }) -- semaphores by fetch
  local ready = {} -- providers that are to be started

  local own = {}
  for name, value in pairs(settings) do
    own[name] = value
  end
  function own.wait(fetch)
    sleeping[fetch] = sleeping[fetch] or semaphore.new()
    pump:post()
    sleeping[fetch]:wait(60)
  end
  function own.wake(fetch)
    if sleeping[fetch] then
      sleeping[fetch]:post()
    end
  end
  -- Providers are always started by the timer, whichever thread polls, since light threads end with the request that started them.
  function own.spawn(provide)
    ready[#ready + 1] = provide
    pump:post()
  end
  local made = tasks.new(own)

  local function tend(is_premature)
    for _ = 1, TURNS do
      if is_premature or ngx.worker.exiting() then
        made:close()
      end
      if made.is_closed then
        return
      end
      made:poll()
      local providers = ready
      ready = {}
      for _, provide in ipairs(providers) do
        ngx.thread.spawn(function()
          provide()
          pump:post()
        end)
      end
      pump:wait(next(made.fetches) and BUSY or IDLE)
    end
    assert(ngx.timer.at(0, tend))
  end
  assert(ngx.timer.at(0, tend))
  return made
end

return M
