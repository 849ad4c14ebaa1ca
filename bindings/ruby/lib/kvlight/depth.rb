# frozen_string_literal: true

module Kvlight
  # Ruby's collector takes whatever lies on a thread's machine stack for a reference, also what finished calls left there. A thread
  # that waits for its next job would so keep what its last one worked on alive, and Tasks that were dropped would never end. Jobs
  # therefore run further down the stack than a thread ever is while it waits.
  module Depth
    # How many calls of C functions lie in between. Each takes more than a KiB; a thread that waits, some three.
    LEVELS = 6

    # The block must refer to nothing but what may stay alive.
    def self.run(levels = LEVELS, &block)
      levels.zero? ? yield : catch { run(levels - 1, &block) }
    end
  end
end
