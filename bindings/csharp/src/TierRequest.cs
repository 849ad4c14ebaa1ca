using System;
using System.Collections.Generic;

namespace Kvlight
{
    /// <summary>A request for the second tier, served by one job.</summary>
    internal sealed unsafe class TierRequest<K, V>
    {
        private readonly Tasks<K, V> tasks;
        private readonly Engine engine;
        private readonly ISecondTier tier;
        private readonly Func<V, byte[]> encode;
        private readonly Func<byte[], V> decode;
        private readonly IntPtr handle;

        /// <summary>Called on the pump's thread. Either Serve or GiveUp must be called, once: it releases the request.</summary>
        internal TierRequest(Tasks<K, V> tasks, ISecondTier tier, Func<V, byte[]> encode, Func<byte[], V> decode, IntPtr borrowed)
        {
            this.tasks = tasks;
            engine = tasks.Engine;
            this.tier = tier;
            this.encode = encode;
            this.decode = decode;
            handle = NativeApi.kvl_l2_request_retain(borrowed);
        }

        /// <summary>Serves the request, and releases it in any case.</summary>
        internal void Serve()
        {
            uint kind = NativeApi.kvl_l2_request_kind(handle);
            bool isDone = false;
            try
            {
                if (engine.Server != null)
                {
                    isDone = CarryOut(engine.Server, (int)kind);
                }
                else
                {
                    Ask(kind, ReadKeys());
                    isDone = true;
                }
            }
            catch (Exception e)
            {
                engine.Report(e);
            }
            finally
            {
                // Finishing a read fails its keys without an answer. A request of another kind that is released unfinished has failed as a whole.
                if (isDone || kind == NativeApi.L2_READ)
                    NativeApi.kvl_l2_request_finish(handle);
                NativeApi.kvl_l2_request_release(handle);
            }
        }

        /// <summary>Ends the request without serving it: it has failed as a whole.</summary>
        internal void GiveUp() => NativeApi.kvl_l2_request_release(handle);

        /// <summary>Lets a Redis or Valkey server serve the request. Failures are not reported: a read that fails is a miss, and a write is repeated.
        /// Returns whether the request was served.</summary>
        private bool CarryOut(RedisTier server, int kind)
        {
            if (kind == NativeApi.L2_FILL || kind == NativeApi.L2_WRITE)
            {
                int count = checked((int)NativeApi.kvl_l2_request_len(handle));
                int payloads = 0;
                for (int i = 0; i < count; i++)
                    payloads += EncodePayload(i) ? 1 : 0;
                if (payloads == 0)
                    return true;
            }
            return server.Serve(handle, (at, found) =>
            {
                fixed (byte* token = found.Token)
                    Hit(at, found, token, found.Token.Length);
            });
        }

        private IReadOnlyList<byte[]> ReadKeys()
        {
            var keys = new byte[checked((int)NativeApi.kvl_l2_request_len(handle))][];
            byte* slice = (byte*)NativeApi.kvl_l2_request_keys(handle);
            for (int i = 0; i < keys.Length; i++, slice += NativeApi.Slice.SIZE)
                keys[i] = Utf8.Copy(*(byte**)(slice + NativeApi.Slice.DATA), *(long*)(slice + NativeApi.Slice.LEN));
            return keys;
        }

        private void Ask(uint kind, IReadOnlyList<byte[]> keys)
        {
            switch ((int)kind)
            {
                case NativeApi.L2_READ:
                    Look(keys);
                    break;
                case NativeApi.L2_FILL:
                case NativeApi.L2_WRITE:
                    Store((int)kind, keys);
                    break;
                case NativeApi.L2_REMOVE:
                    tier.Remove(keys);
                    break;
                case NativeApi.L2_CLEAR:
                    tier.Clear();
                    break;
                default:
                    throw new InvalidOperationException("kvlight: a request of a later version: " + kind);
            }
        }

        private void Look(IReadOnlyList<byte[]> keys)
        {
            var wanted = new TierWanted[keys.Count];
            for (int i = 0; i < wanted.Length; i++)
                wanted[i] = new TierWanted(keys[i], NativeApi.kvl_l2_request_steals(handle, i) != 0);
            IReadOnlyList<TierFound> found = tier.Read(wanted);
            if (found != null && found.Count != keys.Count)
                throw new InvalidOperationException($"kvlight: a second tier answered {keys.Count} keys with {found.Count}");
            for (int i = 0; i < keys.Count; i++)
            {
                TierFound one = found?[i];
                if (one == TierFound.Leased)
                {
                    CheckAnswer(NativeApi.kvl_l2_request_leased(handle, i));
                    continue;
                }
                byte[] token = one == null ? Array.Empty<byte>() : one.Token;
                fixed (byte* stamp = token)
                {
                    if (one?.Data == null)
                        CheckAnswer(NativeApi.kvl_l2_request_miss(handle, i, stamp, token.Length));
                    else
                        Hit(i, one, stamp, token.Length);
                }
            }
        }

        private void Hit(int at, TierFound found, byte* token, long tokenLength)
        {
            byte* payload;
            long length;
            fixed (byte* data = found.Data)
            {
                int status = NativeApi.kvl_l2_request_payload(handle, at, data, found.Data.Length, &payload, &length);
                CheckAnswer(status);
                if (status == NativeApi.NULL)
                {
                    CheckAnswer(NativeApi.kvl_l2_request_hit(handle, at, data, found.Data.Length, found.TtlLeftMs, token, tokenLength));
                    return;
                }
                V value = default(V);
                long cost = 0;
                if (status != NativeApi.OK || !Decoded(Utf8.Copy(payload, length), ref value, ref cost))
                {
                    // The data is no entry of an object under this key, or cannot be decoded: the library counts a miss.
                    CheckAnswer(NativeApi.kvl_l2_request_hit(handle, at, null, 0, found.TtlLeftMs, token, tokenLength));
                    return;
                }
                if (!engine.TryEnter())
                    return; // The engine is closed.
                try
                {
                    IntPtr made = engine.NewValue(value, cost);
                    try
                    {
                        CheckAnswer(NativeApi.kvl_l2_request_hit_object(handle, at, data, found.Data.Length, found.TtlLeftMs, token, tokenLength, made));
                    }
                    finally
                    {
                        NativeApi.kvl_value_release(made);
                    }
                }
                finally
                {
                    tasks.Leave();
                }
            }
        }

        private bool Decoded(byte[] bytes, ref V value, ref long cost)
        {
            try
            {
                value = decode(bytes);
                cost = tasks.CostOf(value, null);
                return value != null;
            }
            catch (Exception e)
            {
                engine.Report(e);
                return false;
            }
        }

        private void Store(int kind, IReadOnlyList<byte[]> keys)
        {
            var places = new List<int>();
            var entries = new List<TierEntry>();
            for (int i = 0; i < keys.Count; i++)
            {
                if (!EncodePayload(i))
                    continue;
                places.Add(i);
                entries.Add(Entry(i, keys[i]));
            }
            if (places.Count == 0)
                return;
            if (kind == NativeApi.L2_WRITE)
            {
                tier.Write(entries);
                return;
            }
            IReadOnlyList<bool> stored = tier.Fill(entries);
            if (stored != null && stored.Count != entries.Count)
                throw new InvalidOperationException($"kvlight: a second tier answered {entries.Count} entries with {stored.Count}");
            for (int i = 0; stored != null && i < places.Count; i++)
            {
                if (!stored[i])
                    CheckAnswer(NativeApi.kvl_l2_request_refused(handle, places[i]));
            }
        }

        /// <summary>Encodes the value at an index, if it is an object. Returns whether there is something to store: an object that cannot be encoded
        /// is refused.</summary>
        private bool EncodePayload(int at)
        {
            IntPtr value;
            int status = NativeApi.kvl_l2_request_value(handle, at, &value);
            CheckAnswer(status);
            if (status != NativeApi.VALUE)
                return true; // The key is known to be absent.
            object kept = engine.Taken(value);
            byte[] bytes;
            try
            {
                bytes = encode((V)kept) ?? throw new InvalidOperationException("kvlight: the function that encodes values returned null");
            }
            catch (Exception e)
            {
                engine.Report(e);
                CheckAnswer(NativeApi.kvl_l2_request_refused(handle, at));
                return false;
            }
            fixed (byte* data = bytes)
                CheckAnswer(NativeApi.kvl_l2_request_set_payload(handle, at, data, bytes.Length));
            return true;
        }

        private TierEntry Entry(int at, byte[] key)
        {
            byte* data;
            byte* token;
            long length, ttlMs, tokenLength;
            KvlightException.Check(NativeApi.kvl_l2_request_entry(handle, at, &data, &length, &ttlMs, &token, &tokenLength));
            return new TierEntry(key, Utf8.Copy(data, length), ttlMs, Utf8.Copy(token, tokenLength));
        }

        /// <summary>Checks the status of an answer. An answer that comes late or after the close is not the second tier's fault.</summary>
        private static void CheckAnswer(int status)
        {
            if (status != NativeApi.ERR_ALREADY_ANSWERED && status != NativeApi.ERR_CLOSED)
                KvlightException.Check(status);
        }
    }
}
