# frozen_string_literal: true

# kvlight for Ruby: a loading cache.
#
#   require "kvlight"
#
#   users = Kvlight::Tasks.new(cache_capacity: 10_000) do |ids|     # called with the keys that are missing
#     DB[:users].where(id: ids).to_h { |row| [row[:id].to_s, row] } # { key => value }; keys left out are remembered as absent
#   end
#   users.fetch("7")                    # a value, or nil: there is no such record
#   users.fetch_all(%w[7 8 7])          # in the order of the keys; raises the first error
#   users.start("9") { |result| … }     # returns at once; the block is called with the result
#   users.close
#
# One Ruby thread, the pump, reads the queue of the library's events; it runs no code of the program. Providers run on worker threads, at most
# `tasks.max_running` at a time besides those that have exceeded `attempt_timeout_ms`. The second tier has worker threads of its own. Blocks given
# to start, and `dropped:`, run one at a time on one more thread. No Ruby code is passed to the library, since a call from one of its threads
# would abort the interpreter.

# A second copy of these files, loaded from another path, would redefine the classes of the first.
if defined?(Kvlight::LOADED_FROM) && Kvlight::LOADED_FROM != __FILE__
  version = File.read(File.join(__dir__, "kvlight/api.rb"))[/VERSION = "(.*)"/, 1]
  return if version == Kvlight::VERSION

  raise LoadError, "kvlight: version #{Kvlight::VERSION} is loaded from #{Kvlight::LOADED_FROM}; #{__FILE__} is #{version}"
end

module Kvlight
  LOADED_FROM = __FILE__ unless const_defined?(:LOADED_FROM)
end

require "json"
require_relative "kvlight/api"
require_relative "kvlight/native"
require_relative "kvlight/error"
require_relative "kvlight/settings"
require_relative "kvlight/interrupts"
require_relative "kvlight/unique"
require_relative "kvlight/object_table"
require_relative "kvlight/weak"
require_relative "kvlight/depth"
require_relative "kvlight/workers"
require_relative "kvlight/backlog"
require_relative "kvlight/unread"
require_relative "kvlight/engine"
require_relative "kvlight/lookup"
require_relative "kvlight/rows"
require_relative "kvlight/request"
require_relative "kvlight/fetch"
require_relative "kvlight/redis"
require_relative "kvlight/second_tier"
require_relative "kvlight/entries"
require_relative "kvlight/tasks"
