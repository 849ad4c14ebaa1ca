# The formula for Homebrew, on macOS and Linux. A release adds `url` and `sha256` of its sources: packaging/PUBLISH.md.
class Kvlight < Formula
  desc "Loading cache for every language, behind a C ABI"
  homepage "https://github.com/kvlight/kvlight"
  license any_of: ["MIT", "Apache-2.0"]
  head "https://github.com/kvlight/kvlight.git", branch: "main"

  depends_on "rust" => :build
  depends_on "pkgconf" => :test

  def install
    system "make", "build"
    system "make", "install", "PREFIX=#{prefix}", "MANDIR=#{man}", "DOCDIR=#{doc}"
  end

  test do
    (testpath/"version.c").write <<~C
      #include <kvlight.h>
      #include <stdio.h>
      int main(void)
      {
          printf("%s %d\\n", kvl_version_string(), kvl_version_number() == KVL_VERSION_NUMBER);
          return 0;
      }
    C
    flags = shell_output("pkg-config --cflags --libs kvlight").chomp.split
    system ENV.cc, "version.c", "-o", "version", *flags, "-Wl,-rpath,#{lib}"
    assert_match(/\A\d+\.\d+\.\d+ 1\n\z/, shell_output("./version"))
  end
end
