# frozen_string_literal: true

module Kvlight
  # For objects that own something of the library. Ruby copies finalizers too, so the end of a copy would free what the original still uses.
  module Unique
    def initialize_copy(_original)
      ObjectSpace.undefine_finalizer(self)
      raise TypeError, "kvlight: a #{self.class} cannot be copied; share it instead"
    end
  end
  private_constant :Unique
end
