# frozen_string_literal: true

module Kvlight
  # Ruby's garbage collector treats every word on a thread's machine stack as a possible reference, including remnants of finished calls. A
  # thread that waits for its next job would keep the objects of its last one alive, and Tasks that are never closed would not be collected.
  # Jobs therefore run deeper in the stack than a thread ever is while it waits.
  module Depth
    # How many C calls deeper a job runs. Each takes more than one KiB of stack; a waiting thread takes about three.
    LEVELS = 6

    # Calls the block `levels` C calls deeper. The block itself stays on the stack, so it must refer only to objects that may stay alive.
    def self.run(levels = LEVELS, &block)
      levels.zero? ? yield : catch { run(levels - 1, &block) }
    end
  end
end
