package kvlight;

import com.sun.jna.Native;
import com.sun.jna.NativeLibrary;
import com.sun.jna.Platform;
import java.io.IOException;
import java.io.InputStream;
import java.net.URISyntaxException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.security.CodeSource;
import java.util.ArrayList;
import java.util.List;

/** Loads the library, once for each class loader of this package. */
final class Library {
    /** Where the library was loaded from; null if it could not be loaded. */
    private static String loadedFrom;

    /** The library: referenced for as long as its functions may be called. */
    private static NativeLibrary library;

    /** Why the library could not be loaded; null if it was. */
    private static UnsatisfiedLinkError failure;

    static {
        try {
            loadedFrom = load();
        } catch (UnsatisfiedLinkError e) {
            failure = e;
        } catch (LinkageError e) {
            failure = because("JNA is not on the class path, or cannot be loaded (net.java.dev.jna:jna): " + e, e);
        }
    }

    private Library() {}

    /** Returns where the library was loaded from. If it could not be loaded, each call throws the reason. */
    static String require() {
        if (failure != null) {
            throw because(failure.getMessage(), failure);
        }
        return loadedFrom;
    }

    /** Returns the library, after {@link #require}. */
    static NativeLibrary bound() {
        return library;
    }

    private static UnsatisfiedLinkError because(String message, Throwable cause) {
        UnsatisfiedLinkError error = new UnsatisfiedLinkError(message.startsWith("kvlight: ") ? message : "kvlight: " + message);
        error.initCause(cause);
        return error;
    }

    private static String load() {
        if (Native.POINTER_SIZE != 8) {
            throw new UnsatisfiedLinkError("kvlight: this package needs a JVM of 64 bits");
        }
        String named = System.getProperty("kvlight.library", System.getenv("KVL_LIBRARY"));
        List<String> tried = new ArrayList<>();
        if (named != null && !named.isEmpty()) {
            return register(named, tried, true);
        }
        String file = Platform.isMac() ? "libkvlight.dylib" : Platform.isWindows() ? "kvlight.dll" : "libkvlight.so";
        String inside = "/natives/" + Platform.RESOURCE_PREFIX + "/" + file;
        try (InputStream content = Library.class.getResourceAsStream(inside)) {
            if (content != null) {
                return fromJar(content, file, tried);
            }
            tried.add("jar:" + inside + " (this jar has none for this platform)");
        } catch (IOException e) {
            throw because("the library in the jar cannot be unpacked: " + e, e);
        }
        String version = NativeApi.VERSION.substring(0, NativeApi.VERSION.lastIndexOf('.'));
        String installed = Platform.isMac() ? "libkvlight." + version + ".dylib" : Platform.isWindows() ? "kvlight.dll" : "libkvlight.so." + version;
        String found = register(installed, tried, false);
        Path built = found == null ? inCheckout("", file) : null;
        if (built != null) {
            found = register(built.toString(), tried, false);
        }
        if (found == null) {
            throw new UnsatisfiedLinkError("kvlight: no library found; tried " + String.join(", ", tried) + "; KVL_LIBRARY names one");
        }
        return found;
    }

    /** Unpacks the library. The file is deleted as soon as it is loaded or, where that is impossible, when the JVM ends. */
    private static String fromJar(InputStream content, String file, List<String> tried) throws IOException {
        Path folder = Files.createTempDirectory("kvlight-");
        Path unpacked = folder.resolve(file);
        try {
            Files.copy(content, unpacked, StandardCopyOption.REPLACE_EXISTING);
            return register(unpacked.toString(), tried, true);
        } finally {
            try {
                Files.deleteIfExists(unpacked);
                Files.deleteIfExists(folder);
            } catch (IOException e) {
                unpacked.toFile().deleteOnExit();
            }
        }
    }

    /** The path target/FOLDER/release/FILE in the checkout that contains these classes; null if they are in no checkout. */
    static Path inCheckout(String folder, String file) {
        try {
            CodeSource source = Library.class.getProtectionDomain().getCodeSource();
            Path at = source == null ? null : Path.of(source.getLocation().toURI());
            for (; at != null; at = at.getParent()) {
                if (at.endsWith(Path.of("bindings", "java")) || at.endsWith("target")) {
                    Path top = at.endsWith("target") ? at.getParent() : at.getParent().getParent();
                    return top.resolve("target").resolve(folder).resolve("release").resolve(file);
                }
            }
        } catch (URISyntaxException | IllegalArgumentException | java.nio.file.FileSystemNotFoundException e) {
            return null; // Classes that were not loaded from a file are in no checkout.
        }
        return null;
    }

    /** Loads a file and binds the functions. Returns null, and notes why, if the file cannot be loaded and another one may be tried. */
    private static String register(String path, List<String> tried, boolean isLast) {
        NativeLibrary opened;
        try {
            opened = NativeLibrary.getInstance(path);
        } catch (UnsatisfiedLinkError e) {
            tried.add(path + " (" + String.valueOf(e.getMessage()).replace('\n', ' ').strip() + ")");
            if (isLast) {
                throw because("no library found; tried " + String.join(", ", tried) + "; KVL_LIBRARY names one", e);
            }
            return null;
        }
        // The version is checked before all functions are bound, since another version may lack some of them.
        int number = (Integer) opened.getFunction("kvl_version_number").invoke(Integer.class, new Object[0]);
        if (number / 1000 != NativeApi.VERSION_NUMBER / 1000) {
            String theirs = number / 1_000_000 + "." + number / 1000 % 1000 + "." + number % 1000;
            throw new UnsatisfiedLinkError("kvlight: this package is for " + NativeApi.VERSION + ", and the library " + path + " is " + theirs);
        }
        Native.register(NativeApi.class, opened);
        library = opened;
        return path;
    }
}
