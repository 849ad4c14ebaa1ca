# frozen_string_literal: true

module Kvlight
  # Threads that run jobs. They are started when they are needed, and replaced when they are killed, by a job or from elsewhere. Every accepted
  # job is called. A waiting thread refers to no object of the program.
  class Workers
    def initialize(name, max)
      @name = name
      @max = max
      @jobs = []
      @waiting = 0
      @is_closed = false
      @threads = []
      @lock = Mutex.new
      @changed = ConditionVariable.new
    end

    # Whether the calling thread is a worker of any cache.
    def self.worker?
      Thread.current.thread_variable_get(:kvlight_worker) || false
    end

    # Adds a job. Raises ThreadError, without having accepted the job, if there is no thread and none can be started.
    def push(job)
      @lock.synchronize do
        start_another if @jobs.size >= @waiting
        @jobs << job
        @changed.signal
      end
    end

    # Makes the threads end once all jobs are done.
    def close
      @lock.synchronize do
        @is_closed = true
        @changed.broadcast
      end
    end

    # Whether the calling thread is one of the workers.
    def current?
      @lock.synchronize { @threads.include?(Thread.current) }
    end

    # Runs jobs on this worker thread until the pool is closed and all jobs are done.
    def run_until_closed
      Depth.run { run_one } while wait
    end

    # Waits until the pool is closed and all jobs are done. Thread#join would also raise what has ended a worker, such as `exit` in a job.
    def join
      @lock.synchronize { @changed.wait(@lock) while !@is_closed || @threads.any?(&:alive?) }
    end

    private

    def start_another
      @threads.select!(&:alive?)
      return if @threads.size >= @max

      # A thread inherits the interrupt mask :never, so it can be killed only while it waits, or where a job allows it.
      @threads << Interrupts.off { Thread.new { work } }
      @threads.last.name = @name
    rescue ThreadError
      raise if @threads.empty?
    end

    def work
      Thread.current.thread_variable_set(:kvlight_worker, true)
      run_until_closed
    ensure
      replace
    end

    # Waits until there is a job or the pool is closed. Returns false if there will be no more jobs. Another thread may take the job first.
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

    # Starts another thread for the jobs that a killed thread has left.
    def replace
      @lock.synchronize do
        @threads.delete(Thread.current)
        start_another unless @jobs.empty?
        @changed.broadcast
      end
    rescue ThreadError
      nil # The next push tries again, unless the process is ending.
    end
  end
end
