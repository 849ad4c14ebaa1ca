-- kvlight for OpenResty: waits are light threads that sleep, so a worker serves other requests meanwhile.
--
--   local users = require("kvlight.ngx").tasks { provider = function(keys) … end }   -- once a worker: in init_worker_by_lua, or at
--   local user = users:fetch("7")                                                     -- first use in a module
--
-- A timer of nginx's handles the events. Providers run in light threads of that timer, and may use sockets; a client that goes away
-- takes no provider with it.

local semaphore = require "ngx.semaphore"
local tasks = require "kvlight.tasks"
local library = require "kvlight.library"

local M = { K = library.K, Error = library.Error, failure = library.failure }

-- How long the timer sleeps, in seconds, unless somebody wakes it: while fetches are under way it looks after the library's own
-- events, such as the end of a pause between attempts.
local BUSY, IDLE = 0.002, 0.05
-- A timer's memory is given back when it ends: another one takes over after so many turns.
local TURNS = 10000

function M.tasks(settings)
  local phase = ngx.get_phase()
  if phase == "init" then
    error("kvlight: a cache is made in a worker, since workers are forks: in init_worker_by_lua, or at first use", 0)
  end
  local pump = semaphore.new()
  local sleeping = setmetatable({}, { __mode = "k" }) -- semaphores by fetch
  local asked = {} -- providers that are to begin

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
  -- Whoever polls, providers are the timer's, since light threads end with the request that began them.
  function own.spawn(provide)
    asked[#asked + 1] = provide
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
      local providers = asked
      asked = {}
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
