package kvlight;

import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Objects;

/**
 * Settings by their names. The subclasses have a method for each setting; {@link #set} takes any by name, for settings that come from a file.
 * An invalid setting is refused where the settings are used, with a message that says what is wrong. Not safe for use by several threads
 * while it is changed.
 *
 * @param <S> the class itself, which each method returns
 */
public abstract class SettingValues<S extends SettingValues<S>> {
    /** A value of a setting that is one of several words. */
    public interface Word {
        /**
         * Returns the library's spelling.
         *
         * @return the word
         */
        String word();
    }

    private final Map<String, Object> values = new LinkedHashMap<>();

    SettingValues() {}

    /**
     * Sets a setting by the library's name.
     *
     * @param name its name, such as {@code cache.capacity}
     * @param value a String, a Number or a Boolean
     * @return this
     */
    public final S set(String name, Object value) {
        Objects.requireNonNull(name, "name");
        if (!(value instanceof String || value instanceof Number || value instanceof Boolean)) {
            throw new IllegalArgumentException("kvlight: the setting " + name + " takes a String, a number or a boolean, not " + value);
        }
        return put(name, value);
    }

    final S put(String name, Object value) {
        values.put(name, value);
        @SuppressWarnings("unchecked")
        S self = (S) this;
        return self;
    }

    final Object get(String name) {
        return values.get(name);
    }

    final boolean isEmpty() {
        return values.isEmpty();
    }

    /** Writes the settings into a kvl_config_t or a kvl_options_t. */
    final void writeTo(Target target, long handle) {
        values.forEach((name, value) -> {
            try (Scratch scratch = Scratch.of(name.length() * 3 + value.toString().length() * 3 + 2)) {
                long key = scratch.text(name);
                if (value instanceof Long || value instanceof Integer || value instanceof Short || value instanceof Byte) {
                    target.setInt(handle, key, ((Number) value).longValue());
                } else if (value instanceof Number) {
                    target.setReal(handle, key, ((Number) value).doubleValue());
                } else {
                    // A Boolean too: as a number, a setting that takes numbers would accept it.
                    target.setText(handle, key, scratch.text(value.toString()));
                }
            }
        });
        long problem = target.problem(handle);
        if (problem != 0) {
            throw new KvlightException(Status.ERR_BAD_VALUE, Memory.text(problem), null);
        }
    }

    /** The kind of object whose settings are written, with the library's functions for it. */
    enum Target {
        CONFIG {
            @Override
            void setInt(long handle, long key, long value) {
                NativeApi.kvl_config_set_int(handle, key, value);
            }

            @Override
            void setReal(long handle, long key, double value) {
                NativeApi.kvl_config_set_real(handle, key, value);
            }

            @Override
            void setText(long handle, long key, long value) {
                NativeApi.kvl_config_set(handle, key, value);
            }

            @Override
            long problem(long handle) {
                return NativeApi.kvl_config_problem(handle);
            }
        },
        OPTIONS {
            @Override
            void setInt(long handle, long key, long value) {
                NativeApi.kvl_options_set_int(handle, key, value);
            }

            @Override
            void setReal(long handle, long key, double value) {
                NativeApi.kvl_options_set_real(handle, key, value);
            }

            @Override
            void setText(long handle, long key, long value) {
                NativeApi.kvl_options_set(handle, key, value);
            }

            @Override
            long problem(long handle) {
                return NativeApi.kvl_options_problem(handle);
            }
        };

        abstract void setInt(long handle, long key, long value);

        abstract void setReal(long handle, long key, double value);

        abstract void setText(long handle, long key, long value);

        abstract long problem(long handle);
    }
}
