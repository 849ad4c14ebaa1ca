# frozen_string_literal: true

module Kvlight
  # Timeout, Thread#raise and Thread#kill interrupt a thread between any two steps of Ruby. What the library has done, and the record of it in Ruby, must
  # not come apart.
  module Interrupts
    NEVER = { Object => :never }.freeze
    ALWAYS = { Object => :immediate }.freeze
    private_constant :NEVER, :ALWAYS

    # Calls the block, whose steps belong together: an interrupt waits for its end.
    def self.off(&steps)
      Thread.handle_interrupt(NEVER, &steps)
    end

    # Calls code of the program on a thread that takes no interrupts otherwise.
    def self.on(&code)
      Thread.handle_interrupt(ALWAYS, &code)
    end
  end
  private_constant :Interrupts
end
