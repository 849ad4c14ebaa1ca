# frozen_string_literal: true

module Kvlight
  # An iteration over the entries of a cache. If an Enumerator is not read to its end, the finalizer ends its iteration: Ruby collects the Enumerator's
  # fiber without running the fiber's ensure.
  class Entries
    include Unique

    def initialize(iterator)
      @iterator = iterator
      @memory = Fiddle::Pointer.malloc(Native::Result::SIZE, Fiddle::RUBY_FREE)
      ObjectSpace.define_finalizer(self, Entries.finalizer(iterator))
    end

    def self.finalizer(iterator)
      proc { Native.kvl_iterator_free(iterator) }
    end

    # Returns the next entry, as a Native::Result that is valid until the next call, or nil at the end.
    def next
      status = Error.check(Native.kvl_iterator_next(@iterator, @memory.to_i, Native::Result::SIZE))
      Native.read(Native::Result, @memory.to_i) unless status == EMPTY
    end

    def free
      ObjectSpace.undefine_finalizer(self)
      Native.kvl_iterator_free(@iterator)
    end
  end
  private_constant :Entries
end
