# frozen_string_literal: true

# A program that lists posts with their authors: `ruby -I bindings/ruby/lib examples/ruby/demo.rb`.

require "kvlight"

authors = Kvlight::Tasks.new("cache.capacity" => 1000, "cache.ttl_ms" => 60_000) do |ids|
  puts "  the provider is asked for #{ids.size} authors: #{ids.join(', ')}"
  # 404 is left out, and so remembered as absent.
  (ids - ["404"]).to_h { |id| [id, { id: id, name: "author #{id}" }] }
end

posts = %w[7 12 7 404 12]
2.times do |round|
  puts "round #{round + 1}"
  authors.fetch_all(posts).each_with_index { |author, i| puts "  post #{i + 1} by #{author ? author[:name] : 'nobody'}" }
end

puts "one more, fetched alone: #{authors.fetch('99')[:name]}"
puts "#{authors.stats[:requests][:formed]} requests for these lookups: #{authors.stats[:lookups]}"
authors.close
