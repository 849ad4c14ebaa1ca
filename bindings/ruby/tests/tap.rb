# frozen_string_literal: true

# Helpers for scenarios, and their runner. Each scenario prints a line of TAP. The first scenarios, which every language has, are counted in a row
# for tests/tiers/hosts/run.
module Tap
  # How many scenarios every language has; they come first.
  SHARED = 12
  SCENARIOS = [] # rubocop:disable Style/MutableConstant

  Failed = Class.new(StandardError)

  def scenario(name, &run)
    SCENARIOS << [name, run]
  end

  # `what` names, in the message of a failure, what was compared.
  def equal(got, wanted, what)
    raise Failed, "#{what}: got #{got.inspect[..500]}, wanted #{wanted.inspect[..500]}" unless got == wanted
  end

  # Returns the exception of this class that the block raises.
  def raised(kind, what)
    yield
  rescue kind => e
    e
  else
    raise Failed, "#{what}: nothing was raised"
  end

  # Runs a program in a separate interpreter, and returns its exit code and its output.
  def program(text, *options)
    command = [RbConfig.ruby, "-W1", *options, "-r", "kvlight", "-e", text]
    output = IO.popen(command, err: %i[child out], &:read)
    [$?.exitstatus, output] # rubocop:disable Style/SpecialGlobalVars
  end

  # Keeps the interpreter busy until the block returns true.
  def busy_until
    sum = 0
    until yield
      1000.times { |i| sum += i * i }
      # Otherwise other threads would wait for the end of this thread's time slice, a tenth of a second.
      Thread.pass
    end
    sum
  end

  # Runs the scenarios, and returns whether all passed. `row`: language, version and mode, for the row.
  def run_scenarios(row = nil)
    puts "1..#{SCENARIOS.size}"
    outcomes = SCENARIOS.each.with_index(1).map do |(name, run), i|
      run.call
      puts "ok #{i} - #{name}"
      true
    rescue StandardError => e
      puts "not ok #{i} - #{name}", e.full_message(highlight: false).gsub(/^/, "# ")
      false
    ensure
      $stdout.flush
    end
    puts "ROW #{row.join(' | ')} | #{outcomes.first(SHARED).count(true)} of #{SHARED}" if row
    outcomes.all?
  end
end
