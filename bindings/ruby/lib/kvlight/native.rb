# frozen_string_literal: true

require "fiddle"
require "fiddle/cparser"

module Kvlight
  # The library's functions and constants, as they stand in kvlight.h, and the closures that it may call. What a closure is told it
  # writes down; nothing of the program's runs before poll has returned, so that no exception crosses the library.
  module Native
    extend Fiddle::CParser

    VERSION = [0, 1].freeze

    def self.load_library
      named = ENV["KVL_LIBRARY"]
      beside = File.expand_path("../../../../target/release/libkvlight.so", __dir__)
      candidates = named ? [named] : ["libkvlight.so.#{VERSION.join('.')}", beside]
      candidates.each do |path|
        return Fiddle.dlopen(path)
      rescue Fiddle::DLError
        next
      end
      raise LoadError, "kvlight: no library found; tried #{candidates.join(', ')}; KVL_LIBRARY names one"
    end

    LIBRARY = load_library

    TYPES = %w[free result results closed provide].to_h { |name| ["kvl_#{name}_fn", "void *"] }.merge("kvl_status_t" => "int").freeze

    # Word for word as in the header; a test compares them.
    FUNCTIONS = <<~C.split("\n").freeze
      uint32_t kvl_version_number(void);
      const char *kvl_version_string(void);
      const char *kvl_status_name(kvl_status_t status);
      const char *kvl_status_message(kvl_status_t status);
      size_t kvl_status_count(void);
      kvl_status_t kvl_status_at(size_t i);
      kvl_status_t kvl_config_new(kvl_config_t **out_config);
      kvl_status_t kvl_config_set(kvl_config_t *config, const char *key, const char *value);
      kvl_status_t kvl_config_set_int(kvl_config_t *config, const char *key, int64_t value);
      kvl_status_t kvl_config_set_real(kvl_config_t *config, const char *key, double value);
      kvl_status_t kvl_config_get(const kvl_config_t *config, const char *key, kvl_value_t **out_text);
      const char *kvl_config_problem(const kvl_config_t *config);
      kvl_status_t kvl_config_set_provider(kvl_config_t *config, kvl_provide_fn function, void *user_data, kvl_free_fn user_data_free);
      kvl_status_t kvl_config_set_queue(kvl_config_t *config, kvl_queue_t *queue, uint32_t what);
      void kvl_config_free(kvl_config_t *config);
      kvl_status_t kvl_options_new(kvl_options_t **out_options);
      kvl_status_t kvl_options_set(kvl_options_t *options, const char *key, const char *value);
      kvl_status_t kvl_options_set_int(kvl_options_t *options, const char *key, int64_t value);
      kvl_status_t kvl_options_set_real(kvl_options_t *options, const char *key, double value);
      const char *kvl_options_problem(const kvl_options_t *options);
      void kvl_options_free(kvl_options_t *options);
      kvl_value_t *kvl_value_null(void);
      kvl_status_t kvl_value_new_bytes(const uint8_t *data, size_t len, kvl_value_t **out_value);
      kvl_status_t kvl_value_new_object_on(kvl_queue_t *queue, void *object, uint64_t cost, kvl_free_fn object_free, kvl_value_t **out_value);
      const uint8_t *kvl_value_data(const kvl_value_t *value, size_t *out_len);
      void *kvl_value_object(const kvl_value_t *value);
      void kvl_value_release(kvl_value_t *value);
      kvl_status_t kvl_error_new_object(int64_t code, const char *message, size_t message_len, uint32_t flags, kvl_queue_t *queue_or_null, void *object, kvl_free_fn object_free, kvl_error_t **out_error);
      const char *kvl_error_message(const kvl_error_t *error);
      void *kvl_error_object(const kvl_error_t *error);
      void kvl_error_release(kvl_error_t *error);
      kvl_status_t kvl_tasks_new(const kvl_config_t *config, kvl_tasks_t **out_tasks, kvl_error_t **out_error);
      kvl_status_t kvl_tasks_cache(kvl_tasks_t *tasks, kvl_cache_t **out_cache);
      kvl_status_t kvl_tasks_get(kvl_tasks_t *tasks, const uint8_t *key, size_t key_len, kvl_value_t **out_value);
      kvl_status_t kvl_tasks_fetch(kvl_tasks_t *tasks, const uint8_t *key, size_t key_len, const kvl_options_t *options, kvl_fetch_t *fetch, kvl_result_fn function, void *user_data, kvl_free_fn user_data_free, kvl_value_t **out_value);
      kvl_status_t kvl_tasks_fetch_all(kvl_tasks_t *tasks, const kvl_slice_t *keys, size_t n, const kvl_options_t *options, kvl_fetch_t *fetch, kvl_results_fn function, void *user_data, kvl_free_fn user_data_free, kvl_results_t **out_ready);
      kvl_status_t kvl_tasks_stats_json(kvl_tasks_t *tasks, kvl_value_t **out_text);
      kvl_status_t kvl_tasks_close(kvl_tasks_t *tasks, uint32_t mode, int64_t deadline_ms, kvl_closed_fn function, void *user_data, kvl_free_fn user_data_free);
      kvl_status_t kvl_tasks_free(kvl_tasks_t *tasks);
      kvl_status_t kvl_cache_put(kvl_cache_t *cache, const uint8_t *key, size_t key_len, kvl_value_t *value, const kvl_terms_t *terms_or_null);
      kvl_status_t kvl_cache_remove(kvl_cache_t *cache, const uint8_t *key, size_t key_len);
      kvl_status_t kvl_cache_clear(kvl_cache_t *cache);
      void kvl_cache_release(kvl_cache_t *cache);
      kvl_status_t kvl_fetch_new(kvl_fetch_t **out_fetch);
      kvl_status_t kvl_fetch_cancel(kvl_fetch_t *fetch);
      void kvl_fetch_release(kvl_fetch_t *fetch);
      size_t kvl_results_len(const kvl_results_t *results);
      const kvl_result_t *kvl_results_at(const kvl_results_t *results, size_t i);
      size_t kvl_request_len(const kvl_request_t *request);
      const kvl_slice_t *kvl_request_keys(const kvl_request_t *request);
      uint32_t kvl_request_attempt(const kvl_request_t *request, size_t i);
      uint32_t kvl_request_is_cancelled(const kvl_request_t *request);
      kvl_status_t kvl_request_resolve(kvl_request_t *request, size_t i, kvl_value_t *value, const kvl_terms_t *terms_or_null);
      kvl_status_t kvl_request_fail(kvl_request_t *request, size_t i, kvl_error_t *error_or_null);
      kvl_status_t kvl_request_finish_nulls(kvl_request_t *request);
      kvl_status_t kvl_request_finish_error(kvl_request_t *request, kvl_error_t *error_or_null);
      kvl_request_t *kvl_request_retain(kvl_request_t *request);
      void kvl_request_release(kvl_request_t *request);
      kvl_status_t kvl_queue_new(uint32_t flags, kvl_queue_t **out_queue);
      kvl_status_t kvl_queue_fd(kvl_queue_t *queue, int32_t *out_fd);
      kvl_status_t kvl_queue_poll(kvl_queue_t *queue, size_t max, int64_t timeout_ms, size_t *out_ran);
      kvl_status_t kvl_queue_free(kvl_queue_t *queue);
    C
    FUNCTIONS.each do |declaration|
      name, result, arguments = parse_signature(declaration.chomp(";"), TYPES)
      # None of these blocks. A call that let go of the interpreter's lock would wait for it again, a tenth of a second if another
      # thread computes.
      function = Fiddle::Function.new(LIBRARY[name], arguments, result, name: name, need_gvl: true)
      define_singleton_method(name) { |*values| function.call(*values) }
    end

    # Likewise; statuses come from the library itself.
    CONSTANTS = {
      KVL_QUEUE_F_ALL: 7,
      KVL_CLOSE_CANCEL: 0,
      KVL_CANCEL_NO: 0,
      KVL_TTL_DEFAULT: -2,
      KVL_COST_DEFAULT: -1,
      KVL_PRIORITY_DEFAULT: -1.7976931348623157e308,
      KVL_FOREVER: -1,
      KVL_ERROR_F_PERMANENT: 1
    }.freeze
    CONSTANTS.each { |name, value| const_set(name, value) }

    kvl_status_count.times do |i|
      status = kvl_status_at(i)
      const_set(kvl_status_name(status).to_s, status)
    end

    unless kvl_version_number / 1000 == VERSION[0] * 1000 + VERSION[1]
      raise LoadError, "kvlight: this module is for #{VERSION.join('.')}, and the library is #{kvl_version_string}"
    end

    # kvl_result_t and kvl_slice_t, for String#unpack.
    RESULT = "Q9q2Ql L3"
    RESULT_SIZE = 112
    SLICE = "Q2"
    SLICE_SIZE = 16

    # kvl_terms_t, for Array#pack.
    TERMS = "Qqdq L2"
    TERMS_SIZE = 40

    # On which terms a value is stored, as the library reads it.
    def self.stated(ttl_ms: KVL_TTL_DEFAULT, priority: KVL_PRIORITY_DEFAULT, cost: KVL_COST_DEFAULT)
      [TERMS_SIZE, ttl_ms, priority, cost, 0, 0].pack(TERMS)
    end

    # What closures wrote down on this thread. Closures run on a thread of Ruby's that polls, and on no other.
    def self.notes
      Thread.current.thread_variable_get(:kvlight_notes) ||
        [].tap { |notes| Thread.current.thread_variable_set(:kvlight_notes, notes) }
    end

    def self.bytes(address, length)
      length.zero? ? +"".b : Fiddle::Pointer.new(address)[0, length]
    end

    def self.results_of(address)
      Array.new(kvl_results_len(address)) { |i| kvl_results_at(address, i)[0, RESULT_SIZE] }
    end

    # Copies what `result` shows while it may be looked at: all but errors and objects, which have ids.
    def self.copy_of(result)
      _, index, _, _, _, data, length, object, error, _, _, _, status, source, attempts = result.unpack(RESULT)
      value = if object != 0 then object
              elsif data != 0 then bytes(data, length)
              end
      [index, status, value, error.zero? ? nil : note_of(error), source, attempts]
    end

    def self.note_of(error)
      object = kvl_error_object(error)
      object.null? ? kvl_error_message(error).to_s : object.to_i
    end

    def self.keys_of(request)
      count = kvl_request_len(request)
      slices = kvl_request_keys(request)[0, count * SLICE_SIZE].unpack("Q*")
      slices.each_slice(2).map { |data, length| bytes(data, length) }
    end

    def self.closure(*types, &block)
      Fiddle::Closure::BlockCaller.new(Fiddle::TYPE_VOID, types, &block)
    end

    ADDRESS = Fiddle::TYPE_UINTPTR_T

    # In constants, since the library may call them for as long as the process lives.
    ON_RESULT = closure(ADDRESS, ADDRESS) do |id, result|
      notes << [:told, id, copy_of(Fiddle::Pointer.new(result)[0, RESULT_SIZE])]
    end
    ON_RESULTS = closure(ADDRESS, ADDRESS) { |id, results| notes << [:told_all, id, results_of(results).map { |each| copy_of(each) }] }
    ON_REQUEST = closure(ADDRESS, ADDRESS) { |_, request| notes << [:asked, kvl_request_retain(request).to_i, keys_of(request)] }
    ON_DROP = closure(ADDRESS) { |id| notes << [:dropped, id] }
    ON_CLOSED = closure(ADDRESS) { |_| notes << [:closed] }
  end
end
