# frozen_string_literal: true

require "fiddle"
require "rbconfig"

module Kvlight
  # The library's functions, and conversions of its memory to Ruby objects. Handles and addresses are Integers. Strings are passed
  # as arguments only, which do not move during the call; an address that the library keeps for longer is never that of a Ruby
  # object, since compaction moves those.
  module Native
    def self.load_library
      candidates = [ENV["KVL_LIBRARY"]]
      candidates = usual_places unless candidates.first
      failures = candidates.map do |path|
        return Fiddle.dlopen(path)
      rescue Fiddle::DLError => e
        "#{path} (#{e.message})"
      end
      raise LoadError, "kvlight: no library found; tried #{failures.join(', ')}; KVL_LIBRARY names one"
    end

    # In the gem; where the system looks for libraries; in the checkout that contains these files.
    def self.usual_places
      extension = RbConfig::CONFIG["SOEXT"]
      inside = File.expand_path("libkvlight.#{extension}", __dir__)
      version = VERSION[/\d+\.\d+/]
      installed = extension == "dylib" ? "libkvlight.#{version}.dylib" : "libkvlight.so.#{version}"
      beside = File.expand_path("../../../../target/release/libkvlight.#{extension}", __dir__)
      [*(inside if File.exist?(inside)), installed, beside]
    end
    private_class_method :load_library, :usual_places

    LIBRARY = load_library
    TYPES = {
      VOID: Fiddle::TYPE_VOID, VOIDP: Fiddle::TYPE_VOIDP, UINTPTR_T: Fiddle::TYPE_UINTPTR_T, SIZE_T: Fiddle::TYPE_SIZE_T,
      INT32_T: Fiddle::TYPE_INT, UINT32_T: -Fiddle::TYPE_INT, INT64_T: Fiddle::TYPE_LONG_LONG, UINT64_T: -Fiddle::TYPE_LONG_LONG,
      DOUBLE: Fiddle::TYPE_DOUBLE
    }.freeze

    FUNCTIONS.each do |name, (result, taken)|
      # None of these blocks for long. A call that releases the interpreter's lock would wait for it again, a tenth of a second if
      # another thread computes.
      const_set(name.upcase, Fiddle::Function.new(LIBRARY[name.to_s], TYPES.values_at(*taken), TYPES.fetch(result), need_gvl: true))
      names = Array.new(taken.size) { |i| "v#{i}" }.join(", ")
      module_eval "def self.#{name}(#{names}) = #{name.upcase}.call(#{names})", __FILE__, __LINE__
    end

    # What a lookup returns if the key is not in the cache: any other object may be a value.
    MISSING = Object.new.freeze

    # Reads a NUL-terminated string.
    def self.text(address)
      Fiddle::Pointer.new(address).to_s
    end

    def self.bytes(address, length)
      length.zero? ? +"".b : Fiddle::Pointer.new(address)[0, length]
    end

    # Reads the bytes of a kvl_value_t.
    def self.content(value)
      data = nil
      length = taken { |out| data = kvl_value_data(value, out) }
      bytes(data, length)
    end

    # Reads the struct of the given layout at an address.
    def self.read(layout, address)
      layout.new(*Fiddle::Pointer.new(address)[0, layout::SIZE].unpack(layout::FORMAT))
    end

    # Copies keys into an array of kvl_slice_t and its own memory, which is valid as long as the returned pointer exists.
    def self.slices(keys)
      packed = keys.sum(&:bytesize)
      memory = Fiddle::Pointer.malloc(keys.size * Slice::SIZE + packed + 1, Fiddle::RUBY_FREE)
      address = memory.to_i + keys.size * Slice::SIZE
      slices = keys.flat_map { |key| [(address += key.bytesize) - key.bytesize, key.bytesize] }
      bytes = slices.pack("Q*") << keys.map(&:b).join
      memory[0, bytes.bytesize] = bytes
      memory
    end

    # The addresses of the kvl_result_t in a kvl_results_t.
    def self.results_of(results)
      Array.new(kvl_results_len(results)) { |i| kvl_results_at(results, i) }
    end

    # The keys of a kvl_request_t.
    def self.keys_of(request)
      count = kvl_request_len(request)
      slices = Fiddle::Pointer.new(kvl_request_keys(request))[0, count * Slice::SIZE].unpack("Q*")
      slices.each_slice(2).map { |data, length| bytes(data, length) }
    end

    # Returns the value that a function writes to an output parameter: a handle or a number of up to 64 bits.
    def self.taken
      cell = Thread.current.thread_variable_get(:kvlight_cell) || new_cell
      cell[0, 8] = NOTHING
      yield cell.to_i
      cell[0, 8].unpack1("Q")
    end

    NOTHING = ("\0" * 8).freeze
    private_constant :NOTHING

    def self.new_cell
      Fiddle::Pointer.malloc(8, Fiddle::RUBY_FREE).tap { |cell| Thread.current.thread_variable_set(:kvlight_cell, cell) }
    end
    private_class_method :new_cell

    unless kvl_version_number / 1000 == NUMBER / 1000
      raise LoadError, "kvlight: this module is for #{VERSION[/\d+\.\d+/]}, and the library is #{text(kvl_version_string)}"
    end
  end
end
