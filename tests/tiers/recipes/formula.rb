# Runs the formula for Homebrew with stand-ins for Homebrew's class: ruby formula.rb FORMULA CHECKOUT PREFIX
# It installs the checkout below PREFIX, and runs the formula's own test there.

require "fileutils"
require "open3"
require "pathname"
require "tmpdir"

FORMULA, CHECKOUT, PREFIX = ARGV.map { |path| Pathname.new(File.expand_path(path)) }

class Formula
  class << self
    attr_reader :test_block, :said

    %i[desc homepage license head url sha256 depends_on].each do |name|
      define_method(name) { |*words, **named| (@said ||= Hash.new { |all, key| all[key] = [] })[name] << [words, named] }
    end

    def test(&block) = @test_block = block
  end

  attr_accessor :testpath

  def prefix = PREFIX
  def lib = prefix/"lib"
  def man = prefix/"share/man"
  def doc = prefix/"share/doc/kvlight"

  def system(*words)
    Kernel.system(*words.map(&:to_s)) || raise("failed: #{words.join(" ")}")
  end

  def shell_output(command)
    said, status = Open3.capture2(command)
    raise "failed: #{command}" unless status.success?

    said
  end

  def assert_match(pattern, text)
    raise "#{text.inspect} does not match #{pattern.inspect}" unless pattern.match?(text)
  end
end

module Compiler
  def cc = "cc"
end
ENV.extend(Compiler)

class Pathname
  # Like Homebrew's, which refuses to overwrite a file.
  def write(text)
    raise "#{self} is there already" if exist?

    File.write(self, text)
  end
end

load FORMULA.to_s
formula = Kvlight.new
%i[desc homepage license].each { |name| raise "the formula says no #{name}" unless Kvlight.said.key?(name) }
description = Kvlight.said[:desc][0][0][0]
raise "brew audit: #{description}" if description.length > 80 || description =~ /\A(A|An|The) /i || description.end_with?(".")

Dir.chdir(CHECKOUT) { formula.install }
%w[include/kvlight.h lib/pkgconfig/kvlight.pc share/man/man3/kvlight.3].each { |file| raise "#{file} is missing" unless (PREFIX/file).exist? }
Dir.mktmpdir do |folder|
  formula.testpath = Pathname.new(folder)
  ENV["PKG_CONFIG_PATH"] = (PREFIX/"lib/pkgconfig").to_s
  Dir.chdir(folder) { formula.instance_eval(&Kvlight.test_block) }
end
puts "the formula installs, and its test passes"
