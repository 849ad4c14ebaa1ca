"""The packages of the languages with their option for a server (`l2_url`): two processes of each language share a server.

    languages.py FOLDER [LANGUAGE ...]

The packages are built in FOLDER. A language whose tools are missing is named, and its stories are not counted in the last line of the output.
"""

import functools
import os
import shutil
import signal
import subprocess
import sys
import traceback

from world import ENTRY, World, eventually, kill_all, leaves

TOP = os.path.abspath(os.path.join(os.path.dirname(__file__), "../../.."))
PROGRAMS = os.path.join(TOP, "tests/programs/redis/languages")
SWIFT = os.path.join(TOP, "bindings/swift/toolchain")
FOLDER = os.path.abspath(sys.argv[1])


def run(*command, folder=None, **environment):
    """Runs a command, and raises an error with its output if it fails."""
    ended = subprocess.run(command, cwd=folder, capture_output=True, text=True, env={**os.environ, **environment})
    assert ended.returncode == 0, f"{' '.join(command)}: {ended.stdout}{ended.stderr}"


def build_folder(name):
    folder = os.path.join(FOLDER, name)
    os.makedirs(folder, exist_ok=True)
    return folder


def python():
    into = build_folder("python")
    run(os.path.join(TOP, "bindings/python/build.sh"), into)
    return [sys.executable, os.path.join(PROGRAMS, "python.py")], {"PYTHONPATH": into}


def node():
    addon = os.path.join(build_folder("node"), "kvlight.node")
    run(os.path.join(TOP, "bindings/node/build.sh"), addon)
    return ["node", os.path.join(PROGRAMS, "node.cjs")], {"KVL_NODE_ADDON": addon}


def ruby():
    return ["ruby", "-w", os.path.join(PROGRAMS, "ruby.rb")], {"RUBYLIB": os.path.join(TOP, "bindings/ruby/lib")}


def php():
    return ["php", "-d", "ffi.enable=1", os.path.join(PROGRAMS, "php.php")], {}


def lua():
    return ["luajit", os.path.join(PROGRAMS, "lua.lua")], {"LUA_PATH": os.path.join(TOP, "bindings/lua/?.lua")}


def pkg_config(into):
    """Writes a file to a folder by which pkg-config finds the library."""
    libraries, include = os.environ["KVL_LIB_DIR"], os.environ["KVL_INCLUDE_DIR"]
    with open(os.path.join(into, "kvlight.pc"), "w") as file:
        file.write(f"Name: kvlight\nDescription: a loading cache\nVersion: 0\nCflags: -I{include}\nLibs: -L{libraries} -lkvlight\n")


def go():
    into = build_folder("go")
    pkg_config(into)
    program = os.path.join(into, "program")
    run("go", "build", "-o", program, ".", folder=os.path.join(PROGRAMS, "go"), PKG_CONFIG_PATH=into, GOFLAGS="-mod=mod", GOPROXY="off")
    return [program], {}


def java():
    into = build_folder("java")
    run(os.path.join(TOP, "bindings/java/build.sh"), into)
    jna = os.environ.get("KVL_JNA", "/usr/share/java/jna.jar")
    run("javac", "-cp", f"{into}:{jna}", "-d", into, os.path.join(PROGRAMS, "Worker.java"))
    return ["java", "-cp", f"{into}:{jna}", "Worker"], {}


def csharp():
    into = build_folder("csharp")
    run(os.path.join(TOP, "bindings/csharp/build.sh"), into)
    program = os.path.join(into, "Worker.exe")
    run("mcs", f"-r:{into}/Kvlight.dll", f"-out:{program}", os.path.join(PROGRAMS, "Worker.cs"))
    return ["mono", program], {}


def cpp():
    program = os.path.join(build_folder("cpp"), "worker")
    folders = [os.environ["KVL_LIB_DIR"], os.path.dirname(os.environ["KVL_REDIS_LIBRARY"])]
    includes = [os.environ["KVL_INCLUDE_DIR"], os.path.join(TOP, "redis/include")]
    run("g++", "-std=c++17", "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-pthread", *(f"-I{folder}" for folder in includes), os.path.join(PROGRAMS, "cpp.cpp"),
        "-o", program, *(f"-L{folder}" for folder in folders), "-lkvlight_redis", "-lkvlight", *(f"-Wl,-rpath,{folder}" for folder in folders))
    return [program], {}


def swift():
    into = build_folder("swift")
    pkg_config(into)
    run(SWIFT, "swift", "build", "--package-path", os.path.join(PROGRAMS, "swift"), "--scratch-path", into, PKG_CONFIG_PATH=into)
    return [SWIFT, os.path.join(into, "debug/worker")], {}


def has(tool):
    """Whether a tool is on the path. Swift's may be in a tree of its own instead."""
    return shutil.which(tool) is not None or tool == "swift" and subprocess.run([SWIFT, "--where"], stdout=subprocess.DEVNULL).returncode == 0


# For each language: the tool that must be there, and the function that builds the package and returns the worker's command and its environment.
LANGUAGES = {
    "python": ("python3", python),
    "node": ("node", node),
    "go": ("go", go),
    "ruby": ("ruby", ruby),
    "php": ("php", php),
    "lua": ("luajit", lua),
    "java": ("javac", java),
    "csharp": ("mcs", csharp),
    "cpp": ("g++", cpp),
    "swift": ("swift", swift),
}

# Languages whose programs are linked with libkvlight_redis: if that is missing, the loader says so.
LINKED = {"cpp"}

# The commands by which the worker of a language ends its engine.
ENDING = {"cpp": ["leave"], "swift": ["leave", "drop"]}


def shares(world, command, environment):
    """What one process has loaded, the other finds; what one puts is invalidated in the other; without the server each loads by itself."""
    server = world.server()
    a, b = (world.worker(server.url(), command=command, environment=environment) for _ in range(2))
    for worker, name in ((a, "a"), (b, "b")):
        worker.do(f"auto {name}")
    assert a.fetch("x")[1] == "a"
    eventually("what was loaded is in the server", lambda: is_entry(server, b"x"))
    assert b.fetch("x")[1] == "a", "the other process finds it"
    assert b.fetch("nothing")[1] == "b"
    a.do("put x later")
    eventually("the other process is notified of the put", lambda: b.fetch("x")[1] == "later")
    assert a.fetch("x")[1] == "later"
    eventually("b counts the notice", lambda: b.state()["heard"] == 1)
    server.kill()
    eventually("the loss is noticed", lambda: not b.state()["connected"])
    assert b.fetch("y")[1] == "b" and a.fetch("z")[1] == "a", "without the server each loads by itself"
    assert b.state()["problem"] is not None
    server.start()
    a.connected()
    b.connected()
    assert b.fetch("w")[1] == "b"
    eventually("the server is used again", lambda: is_entry(server, b"w"))
    assert a.fetch("w")[1] == "b"


def is_entry(server, key):
    """Whether the server has an entry of a key, and not a lease. A language may put the key's type before it."""
    names = [name for name in server.keys() if name.startswith(ENTRY.encode()) and name.endswith(key)]
    return any((server.call("GET", name) or b"")[1:2] == b"\x02" for name in names)


def refuses(world, command, environment):
    """If the URL is wrong, the error says what is wrong and what helps."""
    said = world.worker("redis://:secret@localhost/", wait=False, command=command, environment=environment).first
    assert said.startswith("refused") and "prefix" in said and "secret" not in said, said


def refuses_null(world, command, environment):
    """A null pointer in the place of the URL is refused, and does not end the program."""
    said = world.worker("null", wait=False, command=command, environment=environment).first
    assert said.startswith("refused") and "URL" in said, said


def refuses_nul(world, command, environment):
    """A URL with a NUL is refused: C would read only what is before it."""
    said = world.worker("nul", wait=False, command=command, environment=environment).first
    assert said == "refused The URL contains a NUL.", said


def objects_without_bytes(world, command, environment):
    """An object for which the program has no bytes stays in its process, and bytes that it cannot decode are a miss."""
    server = world.server()
    a, b = (world.worker(server.url(), command=command, environment=environment) for _ in range(2))
    b.do("auto b")
    for key, answer in (("x", "alone"), ("y", "broken")):
        a.do(f"auto {answer}")
        assert a.fetch(key)[1] == answer
    eventually("what has bytes is in the server", lambda: is_entry(server, b"y"))
    assert b.fetch("x")[1] == "b" and b.fetch("y")[1] == "b"


def needs(world, command, environment):
    """If libkvlight_redis is missing, the error says where it was looked for and what helps. An empty variable counts as unset."""
    nowhere = {**environment, "KVL_REDIS_LIBRARY": "/nowhere/libkvlight_redis.so"}
    said = world.worker("redis://localhost/?prefix=p", wait=False, command=command, environment=nowhere).first
    assert "/nowhere/libkvlight_redis.so" in said and "make redis" in said and "KVL_REDIS_LIBRARY" in said, said
    empty = {**environment, "KVL_REDIS_LIBRARY": ""}
    said = world.worker("redis://localhost/?prefix=p", wait=False, command=command, environment=empty).first
    assert said.startswith("ready") or "tried libkvlight_redis.so" in said or "/libkvlight_redis.so" in said, said


def ends_whole(world, command, environment, ending):
    """The end of an engine ends its connection, and the process goes on."""
    worker = world.worker(world.server().url(), command=command, environment=environment)

    def sockets():
        # Other descriptors may be the language's own, and stay.
        return [link for link in worker.sockets() if link.startswith("socket:")]

    leaves(worker, sockets, 2, ending)


def engines_of_one_config(world, command, environment):
    """Each engine of a configuration has a connection of its own. The connection ends with the engine, even if another engine is moved into its place."""
    server = world.server()
    worker = world.worker(server.url(), command=command, environment=environment)
    worker.do("auto a")
    worker.do("another")
    worker.connected()
    assert worker.fetch("x") == ("provider", "a")
    eventually("what was loaded is in the server", lambda: is_entry(server, b"x"))
    worker.do("use 0")
    assert worker.fetch("x") == ("l2", "a")
    worker.do("put x later")
    worker.do("use 1")
    eventually("the other engine is notified of the put", lambda: worker.fetch("x")[1] == "later")
    worker.do("replace")
    worker.connected()
    eventually("the connection of the former engine has ended", lambda: len(worker.threads()) == 2)
    assert worker.fetch("x") == ("l2", "later")
    worker.do("leave")
    worker.do("use 0")
    worker.connected()
    assert worker.fetch("y") == ("provider", "a")
    eventually("the first engine still shares", lambda: is_entry(server, b"y"))
    leaves(worker, worker.sockets, 3)


def with_bytes(story):
    """The story for C++ with values that are bytes: kvl::redis needs no functions to convert them, and join() ends the engine."""
    return lambda world, command, environment: story(world, [*command, "bytes"], environment)


def ends_without_close(world, command, environment):
    """PHP destroys the objects of a collected cycle, and those left at the end of the program, in an order of its own. In both cases the connection ends."""
    program = os.path.join(PROGRAMS, "php_ends.php")
    url = world.server().url()
    for what in ("cycle", "exit"):
        ended = subprocess.run([*command[:-1], program, url, what], capture_output=True, text=True, timeout=60, env={**os.environ, **environment})
        assert (ended.returncode, ended.stdout) == (0, "ends\n"), f"{what}: {ended.returncode}, {ended.stdout}{ended.stderr}"


def main():
    signal.signal(signal.SIGTERM, kill_all)
    passed = failed = 0
    for name in sys.argv[2:] or LANGUAGES:
        tool, build = LANGUAGES[name]
        if not has(tool):
            print(f"NOT RUN: {name}: {tool} is missing", flush=True)
            failed += os.environ.get("CI") == "true"
            continue
        try:
            command, environment = build()
        except Exception:  # The other languages go on.
            print(f"not ok {name} is built\n{traceback.format_exc()}", flush=True)
            failed += 1
            continue
        stories = [(f"t15_{name}_processes_share_a_server", shares), (f"t18_{name}_says_what_is_wrong_with_its_l2_url", refuses)]
        if name not in LINKED:
            stories.append((f"t18_{name}_says_what_is_wrong_without_its_library", needs))
        for ending in ENDING.get(name, []):
            stories.append((f"t17_{name}_has_no_thread_and_no_socket_after_{ending}", functools.partial(ends_whole, ending=ending)))
        if name == "cpp":
            stories.append((f"t18_{name}_says_what_is_wrong_with_a_null_url", refuses_null))
            stories.append((f"t18_{name}_says_what_is_wrong_with_a_null_url_for_bytes", with_bytes(refuses_null)))
            stories.append((f"l09_{name}_refuses_a_url_with_a_nul", refuses_nul))
            stories.append((f"l09_{name}_refuses_a_url_with_a_nul_for_bytes", with_bytes(refuses_nul)))
            stories.append((f"t13_{name}_bytes_without_an_object_are_a_miss", objects_without_bytes))
            stories.append((f"t15_{name}_processes_share_bytes", with_bytes(shares)))
            stories.append((f"t17_{name}_has_no_thread_and_no_socket_after_join", with_bytes(functools.partial(ends_whole, ending="leave"))))
            stories.append((f"t17_{name}_engines_of_one_config_have_a_connection_each", with_bytes(engines_of_one_config)))
        if name == "php":
            stories.append(("t17_php_ends_a_connection_in_any_order", ends_without_close))
        for what, story in stories:
            try:
                with World() as world:
                    story(world, command, environment)
                print(f"ok {what}", flush=True)
                passed += 1
            except Exception:
                print(f"not ok {what}\n{traceback.format_exc()}", flush=True)
                failed += 1
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
