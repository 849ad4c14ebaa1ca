# frozen_string_literal: true

module Kvlight
  # Settings of engines and fetches. Their names are the library's ("cache.capacity") or keywords (cache_capacity).
  module Settings
    NAMES = SETTINGS.merge(SETTINGS.values.to_h { |name| [name.to_sym, name] }).freeze
    private_constant :NAMES

    # Sets settings of a kvl_config_t or a kvl_options_t. Raises an Error with the library's message if one is invalid.
    def self.apply(kind, handle, settings)
      settings.each { |key, value| apply_one(kind, handle, text(NAMES.fetch(key.to_sym, key.to_s)), value) }
      problem = Native.public_send("#{kind}_problem", handle)
      raise Error.new(ERR_BAD_VALUE, Native.text(problem)) unless problem.zero?
    end

    def self.apply_one(kind, handle, name, value)
      case value
      when Integer then Native.public_send("#{kind}_set_int", handle, name, whole(value, name))
      when Numeric then Native.public_send("#{kind}_set_real", handle, name, value.to_f)
      # A boolean is a text, since a setting that takes numbers would accept it as one.
      when String, Symbol, true, false then Native.public_send("#{kind}_set", handle, name, text(value.to_s))
      else raise ArgumentError, "kvlight: the setting #{name} takes a String, a number or a boolean, not #{value.inspect}"
      end
    end
    private_class_method :apply_one

    # Returns the text; raises if it contains a NUL byte, at which it would end in C.
    def self.text(text)
      text.include?("\0") ? raise(ArgumentError, "kvlight: a setting contains a NUL byte: #{text.inspect[..60]}") : text
    end

    CONDITIONS = { nil => 0, absent: PUT_F_IF_ABSENT, present: PUT_F_IF_PRESENT }.freeze
    private_constant :CONDITIONS

    # Calls the block with packed terms, which are valid during the call, or with 0 if there are none.
    def self.with_terms(**terms, &call)
      terms.empty? ? yield(0) : pack_terms(**terms, &call)
    end

    def self.pack_terms(ttl_ms: TTL_DEFAULT, priority: PRIORITY_DEFAULT, cost: COST_DEFAULT, stale_ttl_ms: 0, version: "", tags: [],
                        keep_ttl: false, only_if: nil)
      flags = condition(only_if) | (yes?(keep_ttl) ? PUT_F_KEEP_TTL : 0)
      fields = { struct_size: Native::Terms::SIZE, ttl_ms: whole(ttl_ms, :ttl_ms), priority: real(priority), cost: whole(cost, :cost), flags: flags,
                 stale_ttl_ms: whole(stale_ttl_ms, :stale_ttl_ms) }
      tags = list(tags)
      memory = labels(version, tags) unless version == "" && tags.empty?
      fields.merge!(labels_in(memory, tags.size)) if memory
      yield Native::Terms.members.map { |member| fields.fetch(member, 0) }.pack(Native::Terms::FORMAT)
    end
    private_class_method :pack_terms

    INT64 = (-(2**63)..(2**63 - 1)).freeze
    private_constant :INT64

    # Returns a term that is an Integer. Conversion to C would cut a fraction off, and the upper bits of a number that has more than 64.
    def self.whole(number, name)
      raise TypeError, "kvlight: #{name}: is an Integer, not #{number.inspect[..60]}" unless number.is_a?(Integer)
      raise Error.new(ERR_BAD_VALUE, "#{name}: is out of range: #{number.inspect[..60]}") unless INT64.cover?(number)

      number
    end

    def self.real(number)
      number.is_a?(Numeric) && number.real? ? number.to_f : raise(TypeError, "kvlight: priority: is a number, not #{number.inspect[..60]}")
    end
    private_class_method :real

    def self.yes?(flag)
      raise TypeError, "kvlight: keep_ttl: is true or false, not #{flag.inspect[..60]}" unless [true, false, nil].include?(flag)

      flag
    end
    private_class_method :yes?

    def self.list(tags)
      raise TypeError, "kvlight: tags: is an Array of Strings, or another Enumerable, not #{tags.inspect[..60]}" unless tags.is_a?(Enumerable)

      tags.to_a
    end
    private_class_method :list

    # The version and the tags in memory outside of Ruby's heap: their slices, followed by the bytes of all.
    def self.labels(version, tags)
      [version, *tags].each { |label| raise TypeError, "kvlight: versions and tags are Strings, not #{label.inspect[..60]}" unless label.is_a?(String) }
      Native.slices([version, *tags])
    end
    private_class_method :labels

    def self.labels_in(memory, count)
      data, length = memory[0, Native::Slice::SIZE].unpack(Native::Slice::FORMAT)
      { version: data, version_len: length, tags: memory.to_i + Native::Slice::SIZE, tags_len: count }
    end
    private_class_method :labels_in

    def self.condition(only_if)
      CONDITIONS.fetch(only_if) { raise ArgumentError, "kvlight: only_if: takes :absent or :present, not #{only_if.inspect}" }
    end
    private_class_method :condition

    # Reads an integer setting from a configuration.
    def self.number(config, name)
      text = Native.output { |out| Error.check(Native.kvl_config_get(config, name, out)) }
      Integer(Native.content(text))
    ensure
      Native.kvl_value_release(text) if text
    end
  end
end
