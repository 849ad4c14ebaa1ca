using System;
using System.Collections.Generic;
using System.Linq;

namespace Kvlight
{
    /// <summary>When a put takes place.</summary>
    public enum Condition
    {
        /// <summary>In any case.</summary>
        Always,

        /// <summary>If the key has no entry. A key that is known to be absent has one.</summary>
        IfAbsent,

        /// <summary>If the key has an entry.</summary>
        IfPresent,
    }

    /// <summary>The terms on which a value is stored. A property that is null leaves the matter to the settings. For example: <c>new Terms { TtlMs =
    /// 5000, Tags = new[] { "shelf 7" } }</c>.</summary>
    public sealed unsafe class Terms
    {
        /// <summary>A TTL: the entry never expires.</summary>
        public const long Never = NativeApi.TTL_NEVER;

        /// <summary>Milliseconds until the value expires; Never; 0: it is not stored, and an existing entry is removed.</summary>
        public long? TtlMs { get; set; }

        /// <summary>Entries of a lower priority are evicted first.</summary>
        public double? Priority { get; set; }

        /// <summary>The cost of the value, in bytes, 0 or above.</summary>
        public long? Cost { get; set; }

        /// <summary>Milliseconds for which the expired value is kept as a fallback; -1: not at all.</summary>
        public long? StaleTtlMs { get; set; }

        /// <summary>The version of the record, as the provider's source knows it, for example an ETag; at most 255 bytes of UTF-8.</summary>
        public string Version { get; set; }

        /// <summary>Names by which RemoveTag and ExpireTag find the entry: at most 16, each of 1 to 255 bytes of UTF-8.</summary>
        public IReadOnlyCollection<string> Tags { get; set; }

        /// <summary>Whether a put that replaces an entry keeps its time of expiry.</summary>
        public bool KeepsTtl { get; set; }

        /// <summary>When a put takes place.</summary>
        public Condition Condition { get; set; }

        /// <summary>A call with the address of a kvl_terms_t.</summary>
        internal delegate int Call(void* terms);

        /// <summary>Calls a function with a kvl_terms_t, or null if there are no terms. The cost belongs to the value, and is left out.</summary>
        internal static int With(Terms terms, bool isPut, Call call)
        {
            if (terms == null)
                return call(null);
            Check(terms.TtlMs == null || terms.TtlMs >= NativeApi.TTL_NEVER, $"TtlMs is 0 or above, or Never, not {terms.TtlMs}");
            Check(terms.Priority == null || !double.IsNaN(terms.Priority.Value), "Priority is a number");
            Check(terms.StaleTtlMs == null || terms.StaleTtlMs >= NativeApi.STALE_NEVER, $"StaleTtlMs is 0 or above, or -1, not {terms.StaleTtlMs}");
            Check(terms.Condition >= Condition.Always && terms.Condition <= Condition.IfPresent, $"Condition is none of its values: {terms.Condition}");
            Check(isPut || terms.Flags == 0, "KeepsTtl and Condition are for puts, not for answers");
            byte[] version = Utf8.Bytes(terms.Version ?? "");
            Check(version.Length <= NativeApi.LABEL_MAX, $"Version has at most 255 bytes of UTF-8, not {version.Length}");
            byte[][] tags = terms.Tags == null ? Array.Empty<byte[]>() : Engine.Lend(() => terms.Tags.Select(tag => Utf8.Bytes(tag ?? "")).ToArray());
            Check(tags.Length <= NativeApi.TAGS_MAX, $"Tags has at most 16 tags, not {tags.Length}");
            foreach (byte[] tag in tags)
                Check(tag.Length >= 1 && tag.Length <= NativeApi.LABEL_MAX, $"a tag in Tags has 1 to 255 bytes of UTF-8, not {tag.Length}");
            byte* place = stackalloc byte[NativeApi.Terms.SIZE];
            for (int i = 0; i < NativeApi.Terms.SIZE; i++)
                place[i] = 0;
            using (var slices = new Slices(tags))
            {
                fixed (byte* label = version)
                {
                    *(long*)(place + NativeApi.Terms.STRUCT_SIZE) = NativeApi.Terms.SIZE;
                    *(long*)(place + NativeApi.Terms.TTL_MS) = terms.TtlMs ?? NativeApi.TTL_DEFAULT;
                    *(double*)(place + NativeApi.Terms.PRIORITY) = terms.Priority ?? NativeApi.PRIORITY_DEFAULT;
                    *(long*)(place + NativeApi.Terms.COST) = NativeApi.COST_DEFAULT;
                    *(int*)(place + NativeApi.Terms.FLAGS) = terms.Flags;
                    *(long*)(place + NativeApi.Terms.STALE_TTL_MS) = terms.StaleTtlMs ?? 0;
                    *(byte**)(place + NativeApi.Terms.VERSION) = label;
                    *(long*)(place + NativeApi.Terms.VERSION_LEN) = version.Length;
                    *(byte**)(place + NativeApi.Terms.TAGS) = slices.Start;
                    *(long*)(place + NativeApi.Terms.TAGS_LEN) = tags.Length;
                    return call(place);
                }
            }
        }

        private static void Check(bool isValid, string rule)
        {
            if (!isValid)
                throw KvlightException.Of(NativeApi.ERR_BAD_VALUE, "kvlight: in Terms, " + rule, null);
        }

        /// <summary>Returns the stated cost; null if there is none.</summary>
        internal static long? CostOf(Terms terms)
        {
            Check(!(terms?.Cost < 0), $"Cost is 0 or above, not {terms?.Cost}");
            return terms?.Cost;
        }

        private int Flags
        {
            get
            {
                int condition = Condition == Condition.IfAbsent ? NativeApi.PUT_F_IF_ABSENT
                    : Condition == Condition.IfPresent ? NativeApi.PUT_F_IF_PRESENT : 0;
                return condition | (KeepsTtl ? NativeApi.PUT_F_KEEP_TTL : 0);
            }
        }
    }
}
