# frozen_string_literal: true

module Kvlight
  # Threads that run jobs: started when they are needed, and replaced when a job, or anybody else, kills one. A job that was taken
  # is always called. A thread that waits keeps nothing of the program's alive.
  class Workers
    def initialize(name, most)
      @name = name
      @most = most
      @jobs = []
      @waiting = 0
      @is_closed = false
      @threads = []
      @lock = Mutex.new
      @changed = ConditionVariable.new
    end

    # Raises ThreadError if there is no thread and none can be started; the job is not taken then.
    def push(job)
      @lock.synchronize do
        start_another if @jobs.size >= @waiting
        @jobs << job
        @changed.signal
      end
    end

    # Ends the threads once all jobs are done.
    def close
      @lock.synchronize do
        @is_closed = true
        @changed.broadcast
      end
    end

    # Whether this thread is one of them.
    def current?
      @lock.synchronize { @threads.include?(Thread.current) }
    end

    # Runs jobs on this thread, which is one of them, until it was closed and all are done.
    def run_to_the_end
      Depth.run { run_one } while wait
    end

    # Waits until it was closed and all jobs are done.
    def join
      while (thread = @lock.synchronize { @threads.find(&:alive?) })
        begin
          thread.join
        rescue Exception # rubocop:disable Lint/RescueException
          nil # `exit` in a job: Ruby raises it in the main thread.
        end
      end
    end

    private

    def start_another
      @threads.select!(&:alive?)
      return if @threads.size >= @most

      # A thread inherits the mask: it can be killed while it waits, and where a job allows it.
      @threads << Thread.handle_interrupt(Object => :never) { Thread.new { work } }
      @threads.last.name = @name
    rescue ThreadError
      raise if @threads.empty?
    end

    def work
      run_to_the_end
    ensure
      replace
    end

    # Whether there is a job, or there will be none any more. Another thread may take it first.
    def wait
      @lock.synchronize do
        @waiting += 1
        Thread.handle_interrupt(Object => :on_blocking) { @changed.wait(@lock) } while @jobs.empty? && !@is_closed
        !@jobs.empty?
      ensure
        @waiting -= 1
      end
    end

    def run_one
      job = @lock.synchronize { @jobs.shift }
      job&.call
    end

    # What a killed thread leaves behind is for another one.
    def replace
      @lock.synchronize do
        @threads.delete(Thread.current)
        start_another unless @jobs.empty?
      end
    rescue ThreadError
      nil # The next push tries again; or the process ends.
    end
  end
end
