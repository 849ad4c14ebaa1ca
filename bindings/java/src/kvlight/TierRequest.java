package kvlight;

import java.lang.ref.Reference;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.function.Function;

/**
 * A request for the second tier, served by one job.
 *
 * @param <V> the type of the values
 */
final class TierRequest<V> {
    /**
     * A second tier or, in its place, the URL of a server (the other of the two is null), and the functions that encode and decode values.
     *
     * @param <V> the type of the values
     */
    record Attached<V>(SecondTier tier, String url, Function<? super V, byte[]> encode, Function<byte[], ? extends V> decode) {
        int abilities() {
            return url != null ? RedisTier.abilities()
                    : NativeApi.L2_F_OBJECTS | (tier.isConditional() ? NativeApi.L2_F_CONDITIONAL : 0) | (tier.grantsLeases() ? NativeApi.L2_F_LEASES : 0);
        }
    }

    private static final byte[] NOTHING = {};

    private final Tasks<?, V> tasks;
    private final Engine engine;
    private final Attached<V> attached;
    private final long handle;

    /** Called on the pump's thread. {@link #serve} or {@link #giveUp} releases the handle. */
    TierRequest(Tasks<?, V> tasks, Attached<V> attached, long borrowed) {
        this.tasks = tasks;
        engine = tasks.engine;
        this.attached = attached;
        handle = NativeApi.kvl_l2_request_retain(borrowed);
    }

    /** Serves the request and releases it. */
    void serve() {
        int kind = NativeApi.kvl_l2_request_kind(handle);
        boolean isDone = false;
        try {
            if (engine.server() != null) {
                isDone = serveByServer(engine.server(), kind);
            } else {
                serveByTier(kind, readKeys());
                isDone = true;
            }
        } catch (Throwable e) {
            engine.report(e);
        } finally {
            // Finishing a read fails its keys without an answer. A request of another kind that is released unfinished has failed as a whole.
            if (isDone || kind == NativeApi.L2_READ) {
                NativeApi.kvl_l2_request_finish(handle);
            }
            NativeApi.kvl_l2_request_release(handle);
        }
    }

    /** Ends the request without serving it: it has failed as a whole. */
    void giveUp() {
        NativeApi.kvl_l2_request_release(handle);
    }

    /** Lets a Redis or Valkey server serve the request. Returns whether it did; a failure is not reported. */
    private boolean serveByServer(RedisTier server, int kind) {
        if (kind == NativeApi.L2_FILL || kind == NativeApi.L2_WRITE) {
            int count = Math.toIntExact(NativeApi.kvl_l2_request_len(handle));
            int encoded = 0;
            for (int i = 0; i < count; i++) {
                encoded += encode(i) ? 1 : 0;
            }
            if (encoded == 0) {
                return true;
            }
        }
        return server.serve(handle, this::hit);
    }

    private List<byte[]> readKeys() {
        int count = Math.toIntExact(NativeApi.kvl_l2_request_len(handle));
        List<byte[]> keys = new ArrayList<>(count);
        if (count > 0) {
            ByteBuffer slices = Memory.view(NativeApi.kvl_l2_request_keys(handle), (long) count * NativeApi.Slice.SIZE);
            for (int i = 0; i < count; i++) {
                int at = i * NativeApi.Slice.SIZE;
                keys.add(Memory.bytes(slices.getLong(at + NativeApi.Slice.DATA), slices.getLong(at + NativeApi.Slice.LEN)));
            }
        }
        return keys;
    }

    private void serveByTier(int kind, List<byte[]> keys) throws Exception {
        switch (kind) {
            case NativeApi.L2_READ -> read(keys);
            case NativeApi.L2_FILL, NativeApi.L2_WRITE -> store(kind, keys);
            case NativeApi.L2_REMOVE -> attached.tier.remove(keys);
            case NativeApi.L2_CLEAR -> attached.tier.clear();
            default -> throw new IllegalStateException("kvlight: a request of a later version: " + kind);
        }
    }

    private void read(List<byte[]> keys) throws Exception {
        List<SecondTier.Wanted> wanted = new ArrayList<>(keys.size());
        for (int i = 0; i < keys.size(); i++) {
            wanted.add(new SecondTier.Wanted(keys.get(i), NativeApi.kvl_l2_request_steals(handle, i) != 0));
        }
        List<? extends SecondTier.Found> found = attached.tier.read(wanted);
        if (found != null && found.size() != keys.size()) {
            throw new IllegalStateException("kvlight: a second tier answered " + keys.size() + " keys with " + found.size());
        }
        for (int i = 0; i < keys.size(); i++) {
            SecondTier.Found one = found == null ? null : found.get(i);
            if (one instanceof SecondTier.Hit hit) {
                hit(i, hit);
            } else if (one instanceof SecondTier.Leased) {
                checkAnswer(NativeApi.kvl_l2_request_leased(handle, i));
            } else {
                miss(i, one instanceof SecondTier.Vacant vacant ? vacant.token() : NOTHING);
            }
        }
    }

    private void miss(int at, byte[] token) {
        try (Scratch scratch = Scratch.of(token.length)) {
            checkAnswer(NativeApi.kvl_l2_request_miss(handle, at, scratch.bytes(token), token.length));
        }
    }

    private void hit(int at, SecondTier.Hit hit) {
        byte[] data = hit.data();
        byte[] token = hit.token();
        try (Scratch scratch = Scratch.of(data.length + token.length)) {
            long bytes = scratch.bytes(data);
            long tokenBytes = scratch.bytes(token);
            scratch.clear(2);
            int status = NativeApi.kvl_l2_request_payload(handle, at, bytes, data.length, scratch.out(0), scratch.out(1));
            checkAnswer(status);
            if (status == NativeApi.NULL) {
                checkAnswer(NativeApi.kvl_l2_request_hit(handle, at, bytes, data.length, hit.ttlLeftMs(), tokenBytes, token.length));
                return;
            }
            V value = null;
            long cost = 0;
            if (status == NativeApi.OK) {
                try {
                    value = attached.decode.apply(Memory.bytes(scratch.longAt(0), scratch.longAt(1)));
                    cost = tasks.costOf(value, Terms.NONE);
                } catch (Throwable e) {
                    engine.report(e);
                    value = null;
                }
            }
            if (value == null) {
                // The data is no entry of an object under this key, or cannot be decoded: the library counts a miss.
                checkAnswer(NativeApi.kvl_l2_request_hit(handle, at, 0, 0, hit.ttlLeftMs(), tokenBytes, token.length));
                return;
            }
            Gate.Pass pass = engine.gate.enter();
            if (pass == null) {
                return; // The engine is closed.
            }
            try {
                long made = engine.newValue(value, cost, scratch);
                try {
                    checkAnswer(NativeApi.kvl_l2_request_hit_object(handle, at, bytes, data.length, hit.ttlLeftMs(), tokenBytes, token.length, made));
                } finally {
                    NativeApi.kvl_value_release(made);
                }
            } finally {
                pass.isTaken = 0;
                Reference.reachabilityFence(tasks);
            }
        }
    }

    private void store(int kind, List<byte[]> keys) throws Exception {
        List<Integer> places = new ArrayList<>();
        List<SecondTier.Entry> entries = new ArrayList<>();
        for (int i = 0; i < keys.size(); i++) {
            if (encode(i)) {
                places.add(i);
                entries.add(entry(i, keys.get(i)));
            }
        }
        if (places.isEmpty()) {
            return;
        }
        if (kind == NativeApi.L2_WRITE) {
            attached.tier.write(entries);
            return;
        }
        List<Boolean> stored = attached.tier.fill(entries);
        if (stored != null && stored.size() != entries.size()) {
            throw new IllegalStateException("kvlight: a second tier answered " + entries.size() + " entries with " + stored.size());
        }
        for (int i = 0; stored != null && i < places.size(); i++) {
            if (!stored.get(i)) {
                checkAnswer(NativeApi.kvl_l2_request_refused(handle, places.get(i)));
            }
        }
    }

    /** Encodes the value at a position, if it is an object. Returns false if that fails: then the entry is refused, and must be left out. */
    private boolean encode(int at) {
        V value;
        try (Scratch scratch = Scratch.of(0)) {
            scratch.clear(1);
            int status = NativeApi.kvl_l2_request_value(handle, at, scratch.out(0));
            checkAnswer(status);
            if (status != NativeApi.VALUE) {
                return true; // The key is known to be absent.
            }
            value = tasks.cast(tasks.taken(scratch.longAt(0)));
        }
        byte[] bytes;
        try {
            bytes = Objects.requireNonNull(attached.encode.apply(value), "kvlight: the function that encodes values returned null");
        } catch (Throwable e) {
            engine.report(e);
            checkAnswer(NativeApi.kvl_l2_request_refused(handle, at));
            return false;
        }
        try (Scratch payload = Scratch.of(bytes.length)) {
            checkAnswer(NativeApi.kvl_l2_request_set_payload(handle, at, payload.bytes(bytes), bytes.length));
        }
        return true;
    }

    private SecondTier.Entry entry(int at, byte[] key) {
        try (Scratch scratch = Scratch.of(0)) {
            scratch.clear(5);
            KvlightException.check(NativeApi.kvl_l2_request_entry(handle, at, scratch.out(0), scratch.out(1), scratch.out(2), scratch.out(3), scratch.out(4)));
            byte[] data = Memory.bytes(scratch.longAt(0), scratch.longAt(1));
            return new SecondTier.Entry(key, data, scratch.longAt(2), Memory.bytes(scratch.longAt(3), scratch.longAt(4)));
        }
    }

    /** Checks the status of an answer. An answer that comes late or after the close is not the second tier's fault. */
    private static void checkAnswer(int status) {
        if (status != NativeApi.ERR_ALREADY_ANSWERED && status != NativeApi.ERR_CLOSED) {
            KvlightException.check(status);
        }
    }
}
