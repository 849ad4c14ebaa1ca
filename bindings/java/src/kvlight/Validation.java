package kvlight;

import com.sun.jna.Callback;

/** The function that the library calls to validate a key, through JNA. It exists for as long as this object does. */
final class Validation {
    /** Decides whether a key is valid. */
    interface Validator {
        boolean isValid(byte[] key);
    }

    /** A kvl_validate_fn. */
    interface Validate extends Callback {
        /** Returns 0 if the key is not valid. */
        int invoke(long userData, long key, long length);
    }

    private final Validate function;

    /** Creates the function; the validator runs on the thread of a call, inside the gate, and throws nothing. */
    Validation(Validator validator) {
        function = (userData, key, length) -> validator.isValid(Memory.bytes(key, length)) ? 1 : 0;
    }

    void setIn(long config) {
        KvlightException.check(NativeApi.kvl_config_set_validator(config, Transfer.address(function), 0, 0));
    }
}
