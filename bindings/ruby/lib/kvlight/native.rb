# frozen_string_literal: true

require "fiddle"
require "rbconfig"

module Kvlight
  # The library's functions, and conversions of its memory to Ruby objects. Handles and addresses are Integers. Strings are passed only as
  # arguments, which do not move during a call. An address that the library keeps for longer is never that of a Ruby object, which
  # compaction could move.
  module Native
    def self.load_library
      candidates = ENV["KVL_LIBRARY"].to_s.empty? ? default_paths : [ENV["KVL_LIBRARY"]]
      failures = candidates.map do |path|
        return Fiddle.dlopen(path)
      rescue Fiddle::DLError => e
        "#{path} (#{e.message})"
      end
      raise LoadError, "kvlight: no library found; tried #{failures.join(', ')}; set KVL_LIBRARY to the path of the library"
    end

    # Where the library may be: in the gem, on the system's library path, and in the checkout that contains these files.
    def self.default_paths
      extension = RbConfig::CONFIG["SOEXT"]
      in_gem = File.expand_path("libkvlight.#{extension}", __dir__)
      version = VERSION[/\d+\.\d+/]
      installed = extension == "dylib" ? "libkvlight.#{version}.dylib" : "libkvlight.so.#{version}"
      in_checkout = File.expand_path("../../../../target/release/libkvlight.#{extension}", __dir__)
      [*(in_gem if File.exist?(in_gem)), installed, in_checkout]
    end
    private_class_method :load_library, :default_paths

    LIBRARY = load_library
    TYPES = {
      VOID: Fiddle::TYPE_VOID, VOIDP: Fiddle::TYPE_VOIDP, UINTPTR_T: Fiddle::TYPE_UINTPTR_T, SIZE_T: Fiddle::TYPE_SIZE_T,
      INT32_T: Fiddle::TYPE_INT, UINT32_T: -Fiddle::TYPE_INT, INT64_T: Fiddle::TYPE_LONG_LONG, UINT64_T: -Fiddle::TYPE_LONG_LONG,
      DOUBLE: Fiddle::TYPE_DOUBLE
    }.freeze

    FUNCTIONS.each do |name, (result, parameters)|
      # None of these functions blocks for long. A call that released the interpreter's lock would have to wait for it afterwards, for a
      # tenth of a second if another thread is busy.
      const_set(name.upcase, Fiddle::Function.new(LIBRARY[name.to_s], TYPES.values_at(*parameters), TYPES.fetch(result), need_gvl: true))
      names = Array.new(parameters.size) { |i| "v#{i}" }.join(", ")
      module_eval "def self.#{name}(#{names}) = #{name.upcase}.call(#{names})", __FILE__, __LINE__
    end

    # Returned by a lookup of a key that is not in the cache: any other object may be a value.
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
      length = output { |out| data = kvl_value_data(value, out) }
      bytes(data, length)
    end

    # Calls the block with the address of an output parameter for a kvl_value_t, and returns the JSON that it contains, with symbols.
    def self.json(&write)
      Interrupts.off do
        text = output(&write)
        JSON.parse(content(text).force_encoding(Encoding::UTF_8), symbolize_names: true)
      ensure
        kvl_value_release(text) if text
      end
    end

    # Reads the struct of the given layout at an address.
    def self.read(layout, address)
      layout.new(*Fiddle::Pointer.new(address)[0, layout::SIZE].unpack(layout::FORMAT))
    end

    # Copies keys into memory outside of Ruby's heap: an array of kvl_slice_t, followed by the bytes of the keys. Garbage collection of
    # the returned pointer frees that memory.
    def self.slices(keys)
      packed = keys.sum(&:bytesize)
      memory = Fiddle::Pointer.malloc(keys.size * Slice::SIZE + packed + 1, Fiddle::RUBY_FREE)
      address = memory.to_i + keys.size * Slice::SIZE
      slices = keys.flat_map { |key| [(address += key.bytesize) - key.bytesize, key.bytesize] }
      bytes = slices.pack("Q*") << keys.map(&:b).join
      memory[0, bytes.bytesize] = bytes
      memory
    end

    # The addresses of the results in a kvl_results_t.
    def self.results_of(results)
      Array.new(kvl_results_len(results)) { |i| kvl_results_at(results, i) }
    end

    # The keys of a kvl_request_t.
    def self.keys_of(request)
      count = kvl_request_len(request)
      slices = Fiddle::Pointer.new(kvl_request_keys(request))[0, count * Slice::SIZE].unpack("Q*")
      slices.each_slice(2).map { |data, length| bytes(data, length) }
    end

    # Calls the block with the address of an output parameter, and returns what was written there: a handle or a number of up to 64 bits.
    def self.output
      memory = cell
      memory[0, 8] = NOTHING
      yield memory.to_i
      memory[0, 8].unpack1("Q")
    end

    # The memory for output parameters of the calling thread.
    def self.cell
      Thread.current.thread_variable_get(:kvlight_cell) || new_cell
    end

    NOTHING = ("\0" * 8).freeze
    private_constant :NOTHING

    def self.new_cell
      Fiddle::Pointer.malloc(8, Fiddle::RUBY_FREE).tap { |cell| Thread.current.thread_variable_set(:kvlight_cell, cell) }
    end
    private_class_method :new_cell

    unless kvl_version_number / 1000 == NUMBER / 1000
      raise LoadError, "kvlight: this module is for version #{VERSION[/\d+\.\d+/]}, but the library has version #{text(kvl_version_string)}"
    end
  end
end
