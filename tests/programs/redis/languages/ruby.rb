# frozen_string_literal: true

# A process with an engine of the Ruby package and an `l2_url:`, driven by commands on its input, like worker.c: `ruby.rb URL`.

require "json"
require "kvlight"

$stdout.sync = true
answer = "nobody"
begin
  tasks = Kvlight::Tasks.new(l2_url: ARGV[0], dump: JSON.method(:generate), load: JSON.method(:parse), cache_ttl_ms: 3_600_000, timeout_ms: 20_000,
                             l2_timeout_ms: 10_000) { |keys| keys.to_h { |key| [key, { "from" => answer }] } }
rescue LoadError, Kvlight::Error => e
  puts "refused #{e.message}"
  exit
end
puts "ready"
$stdin.each_line(chomp: true) do |line|
  command, key, value = line.split
  case command
  when "fetch"
    result = tasks.results([key]).first
    puts "done #{key} 0 #{result.source} #{result.value&.fetch('from') || '-'}"
  when "put"
    tasks.put(key, { "from" => value })
    puts "ok 0"
  when "auto"
    answer = key
    puts "ok 0"
  when "state"
    puts "state #{JSON.generate(tasks.l2_state)}"
  end
end
tasks.close
