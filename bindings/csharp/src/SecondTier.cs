using System;
using System.Collections.Generic;

namespace Kvlight
{
    /// <summary>A second tier: a store in which keys are looked up before the provider is called, and which receives what was loaded and put. Several
    /// processes may share one; Config.SecondTier sets it. Its methods are called where providers run (Config.Scheduler), several at a time, and may
    /// block. If Read throws, its keys are misses. If Write, Remove or Clear throws, it is called again later, after a pause (L2BreakMs), but not once the
    /// Tasks is closing: CloseAsync loses the writes that fail then, and those that wait for the end of such a pause. A Fill is not repeated. No
    /// caller of the cache sees the exception; it is passed to Config.FailureHandler.</summary>
    public interface ISecondTier
    {
        /// <summary>Whether Fill stores an entry only if its token still belongs to the key.</summary>
        bool IsConditional { get; }

        /// <summary>Whether Read grants a lease (a token) for a key without an entry, to one reader at a time. If IsConditional is true too, an older
        /// load never replaces a newer write, in any process.</summary>
        bool GrantsLeases { get; }

        /// <summary>Looks keys up.</summary>
        /// <param name="keys">The keys.</param>
        /// <returns>The result for each key, in their order. A null element, or null instead of the list, stands for no entry.</returns>
        IReadOnlyList<TierFound> Read(IReadOnlyList<TierWanted> keys);

        /// <summary>Stores what was loaded: if IsConditional, only entries whose token still belongs to the key.</summary>
        /// <param name="entries">The entries.</param>
        /// <returns>For each entry, in their order, whether it was stored; null: all were.</returns>
        IReadOnlyList<bool> Fill(IReadOnlyList<TierEntry> entries);

        /// <summary>Stores what was put.</summary>
        /// <param name="entries">The entries.</param>
        void Write(IReadOnlyList<TierEntry> entries);

        /// <summary>Removes keys, some of which may not exist.</summary>
        /// <param name="keys">The keys.</param>
        void Remove(IReadOnlyList<byte[]> keys);

        /// <summary>Removes all keys.</summary>
        void Clear();
    }

    /// <summary>A key to look up in a second tier.</summary>
    public sealed class TierWanted
    {
        internal TierWanted(byte[] key, bool mayTakeLease)
        {
            Key = key;
            MayTakeLease = mayTakeLease;
        }

        /// <summary>The key.</summary>
        public byte[] Key { get; }

        /// <summary>Whether Read may grant a new lease although another process still has one, because the key has waited for L2WaitMs. If no process
        /// has one, Read may always grant it.</summary>
        public bool MayTakeLease { get; }
    }

    /// <summary>What is to be stored under a key of a second tier.</summary>
    public sealed class TierEntry
    {
        internal TierEntry(byte[] key, byte[] data, long ttlMs, byte[] token)
        {
            Key = key;
            Data = data;
            TtlMs = ttlMs;
            Token = token;
        }

        /// <summary>The key.</summary>
        public byte[] Key { get; }

        /// <summary>The bytes to store, and to pass unchanged to TierFound.Hit when the key is read.</summary>
        public byte[] Data { get; }

        /// <summary>The entry's TTL from now on, in milliseconds; -1: it does not expire. An entry that is kept longer never expires, since each
        /// hit begins its TTL anew.</summary>
        public long TtlMs { get; }

        /// <summary>For Fill, the token that Read returned for the key; empty for Write.</summary>
        public byte[] Token { get; }
    }

    /// <summary>The result of looking a key up in a second tier.</summary>
    public sealed class TierFound
    {
        /// <summary>A remaining TTL that is unknown: the library assumes the full TTL that the entry was written with.</summary>
        public const long TtlUnknown = NativeApi.L2_TTL_UNKNOWN;

        /// <summary>The key has no entry, and another process has its lease. The library looks the key up again, for at most L2WaitMs.</summary>
        public static readonly TierFound Leased = new TierFound(null, 0, Array.Empty<byte>());

        private TierFound(byte[] data, long ttlLeftMs, byte[] token)
        {
            Data = data;
            TtlLeftMs = ttlLeftMs;
            Token = token ?? Array.Empty<byte>();
        }

        internal byte[] Data { get; }

        internal long TtlLeftMs { get; }

        internal byte[] Token { get; }

        /// <summary>The key has an entry.</summary>
        /// <param name="data">The data of its entry.</param>
        /// <param name="ttlLeftMs">What is left of its TTL, in milliseconds; -1: it does not expire in the second tier. With -1, and with
        /// TtlUnknown, the whole TTL with which the entry was written begins again.</param>
        /// <param name="token">Identifies this very entry, for a Fill that may replace it; null: there is no token.</param>
        /// <returns>What is known of the key.</returns>
        public static TierFound Hit(byte[] data, long ttlLeftMs = TtlUnknown, byte[] token = null) =>
            new TierFound(data ?? throw new ArgumentNullException(nameof(data)), ttlLeftMs, token);

        /// <summary>The key has no entry.</summary>
        /// <param name="token">The lease that was granted; null: none.</param>
        /// <returns>What is known of the key.</returns>
        public static TierFound Vacant(byte[] token = null) => new TierFound(null, 0, token);
    }
}
