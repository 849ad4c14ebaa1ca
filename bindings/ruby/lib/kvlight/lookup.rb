# frozen_string_literal: true

module Kvlight
  # The lookup of a key. The gem of a platform contains it compiled (native/lookup.c) for the Ruby that built the gem. For other Rubies the lookup is made
  # through Fiddle, which takes ten times as long.
  module Lookup
    # The compiled file for this Ruby. KVL_RUBY_LOOKUP overrides its path; if that is empty, there is no file.
    def self.file
      ENV.fetch("KVL_RUBY_LOOKUP") { File.expand_path("#{RbConfig::CONFIG['ruby_version']}/lookup.#{RbConfig::CONFIG['DLEXT']}", __dir__) }
    end
    private_class_method :file

    COMPILED = File.file?(file)
    if COMPILED
      require File.expand_path(file)
      bind(*%w[kvl_tasks_get_object kvl_value_data kvl_value_release].map { |name| Native::LIBRARY[name] })
    end
  end

  class Engine
    unless Lookup::COMPILED
      # Returns the value of a key, nil if it is known to be absent, or Native::MISSING if it is not in the cache. `objects` is the Array of an ObjectTable.
      def look_up(key, objects, encoding)
        Interrupts.off do
          cell = Native.cell
          status = use { |tasks| Native.kvl_tasks_get(tasks, key, key.bytesize, cell.to_i) }
          next Error.check(status) == NULL ? nil : Native::MISSING unless status == VALUE

          handle = cell[0, 8].unpack1("Q")
          id = Native.kvl_value_object(handle)
          id.zero? ? Native.content(handle).force_encoding(encoding) : objects[id]
        ensure
          Native.kvl_value_release(handle) if handle
        end
      end
    end
  end
end
